// What an optimizer does to all parameters: a launch for as many as fit into a table.
//
// The table is an argument, passed by value: up to 4 KB, so that nothing is copied to the device
// and nobody waits. It names, for each parameter, its arrays and the block that its first part
// goes to; a block finds its parameter by bisection. Blocks take parts of `part` elements.

template <int L> struct Table {
    static constexpr int most = 3900 / (8 * L + 12);
    void *arrays[L][most];   // list by list, parameter by parameter; null where there is none
    long long sizes[most];   // elements of each
    int first[most + 1];     // the first block of each, and the number of blocks
    int count;
};

template <int L> __device__ int parameter_of(const Table<L> &table) {
    int low = 0, high = table.count;  // first[low] <= blockIdx.x < first[high]
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (table.first[middle] <= int(blockIdx.x)) low = middle;
        else high = middle;
    }
    return low;
}

#define PART(L)                                                                                   \
    typedef typename wide<T>::type A;                                                             \
    const int n = parameter_of<L>(table);                                                         \
    const long long begin = (long long)(int(blockIdx.x) - table.first[n]) * part;                 \
    const long long end = begin + part < table.sizes[n] ? begin + part : table.sizes[n]

#define ARRAY(list) (static_cast<T *>(table.arrays[list][n]))

// A thread reads two elements before it writes one: with all threads of a multiprocessor that is
// more on its way than memory can deliver, and four took more than 64 registers.
#define EACH 2
#define IN_STEPS                                                                                  \
    for (long long start = begin + threadIdx.x; start < end; start += EACH * blockDim.x)
#define EVERY(k)                                                                                  \
    _Pragma("unroll") for (int k = 0; k < EACH; k++)                                              \
        if (const long long i = start + (long long)k * blockDim.x; i < end)

// Lists: parameter, gradient, velocity or null; what becomes of the parameter and the velocity.
template <typename T>
__global__ void sgd_update(const Table<5> table, int part, double learning_rate, double momentum,
                           double weight_decay) {
    PART(5);
    const T *x = ARRAY(0), *g = ARRAY(1), *v = ARRAY(2);
    T *new_x = ARRAY(3), *new_v = ARRAY(4);
    IN_STEPS {
        A value[EACH], total[EACH];
        EVERY(k) {
            value[k] = load(x + i), total[k] = load(g + i);
            if (weight_decay != 0) total[k] += A(weight_decay) * value[k];
            if (v) total[k] += A(momentum) * load(v + i);
        }
        EVERY(k) {
            if (new_v) store(new_v + i, total[k]);
            store(new_x + i, A(value[k] - A(learning_rate) * total[k]));
        }
    }
}

// Lists: parameter, gradient, mean and square or null; what becomes of the first, third, fourth.
// size = η / (1 - β₁ᵗ), correction = 1 / √(1 - β₂ᵗ), keep = 1 - η λ where decay is decoupled.
template <typename T>
__global__ void adam_update(const Table<7> table, int part, double size, double correction,
                            double first, double rest_first, double second, double rest_second,
                            double eps, double weight_decay, double keep) {
    PART(7);
    const T *x = ARRAY(0), *g = ARRAY(1), *m = ARRAY(2), *v = ARRAY(3);
    T *new_x = ARRAY(4), *new_m = ARRAY(5), *new_v = ARRAY(6);
    IN_STEPS {
        A value[EACH], mean[EACH], square[EACH];
        EVERY(k) {
            value[k] = load(x + i);
            A slope = load(g + i);
            if (weight_decay != 0) slope += A(weight_decay) * value[k];
            mean[k] = A(rest_first) * slope;
            square[k] = A(rest_second) * (slope * slope);
            if (m) {
                mean[k] += A(first) * load(m + i);
                square[k] += A(second) * load(v + i);
            }
        }
        EVERY(k) {
            store(new_m + i, mean[k]);
            store(new_v + i, square[k]);
            const A root = sqrt(square[k]) * A(correction) + A(eps);
            store(new_x + i, A(A(keep) * value[k] - A(size) * (mean[k] / root)));
        }
    }
}

// One sum of squares for each block, from `sums` on; its threads are a power of 2, up to 256.
template <typename T>
__global__ void sums_of_squares(const Table<1> table, int part, double *sums) {
    PART(1);
    __shared__ double parts[256];
    const T *g = ARRAY(0);
    A total = 0;  // of few elements; whatever is added up of many is a double
    IN_STEPS EVERY(k) {
        const A value = load(g + i);
        total += value * value;
    }
    parts[threadIdx.x] = total;
    for (int apart = blockDim.x / 2; apart; apart /= 2) {
        __syncthreads();
        if (int(threadIdx.x) < apart) parts[threadIdx.x] += parts[threadIdx.x + apart];
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = parts[0];
}

// One block: the root of the sum of `count` sums, and min(1, limit / (norm + 1e-6)).
template <typename T>
__global__ void norm_and_factor(const double *sums, int count, double limit, T *norm,
                                double *factor) {
    __shared__ double parts[256];
    double total = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) total += sums[i];
    parts[threadIdx.x] = total;
    for (int apart = blockDim.x / 2; apart; apart /= 2) {
        __syncthreads();
        if (int(threadIdx.x) < apart) parts[threadIdx.x] += parts[threadIdx.x + apart];
    }
    if (threadIdx.x) return;
    const double root = sqrt(parts[0]), quotient = limit / (root + 1e-6);
    store(norm, typename wide<T>::type(root));
    *factor = quotient >= 1 ? 1 : quotient;  // nan stays nan
}

// Lists: gradient, what becomes of it.
template <typename T>
__global__ void scale(const Table<2> table, int part, const double *factor) {
    PART(2);
    const T *g = ARRAY(0);
    T *scaled = ARRAY(1);
    const A by = A(*factor);
    IN_STEPS {
        A value[EACH];
        EVERY(k) value[k] = load(g + i) * by;
        EVERY(k) store(scaled + i, value[k]);
    }
}
