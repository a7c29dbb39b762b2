// Softmax and what is built on it: a group of W threads to a row, each function in one launch.
//
// W is a power of two up to 32, the lanes of a warp, so that a group adds up by shuffles and
// waits for nobody. A row is read once for its maximum and the sum of its exponentials together
// (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018, algorithm 3), and
// once more, from the cache, for the result.

#define ROW                                                                                       \
    const long long row = (long long)blockIdx.x * (blockDim.x / W) + threadIdx.x / W;             \
    const int lane = threadIdx.x % W;                                                             \
    typedef typename wide<T>::type A

// Every group of a block runs to the end, also past the last row: a shuffle needs all its lanes.
#define INSIDE (row < rows)

template <typename A> struct Exponentials {
    A largest, total;  // total = sum of exp(x - largest)

    __device__ Exponentials() : largest(-INFINITY), total(0) {}

    __device__ void add(A x) {
        if (x <= largest) {
            total += largest == -INFINITY ? A(0) : exp(x - largest);
        } else {  // nan comes here too, and stays in the total
            total = (largest == -INFINITY ? A(0) * total : total * exp(largest - x)) + exp(x - x);
            largest = x;
        }
    }

    __device__ void add(A other_largest, A other_total) {
        const A top = fmax(largest, other_largest);
        if (top != -INFINITY)
            total = total * exp(largest - top) + other_total * exp(other_largest - top);
        else
            total += other_total;
        largest = top;
    }
};

template <int W, typename A> __device__ A group_sum(A x) {
    for (int apart = W / 2; apart; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart, W);
    return x;
}

template <int W, typename T>
__device__ Exponentials<typename wide<T>::type> exponentials(const T *x, int columns, int lane) {
    Exponentials<typename wide<T>::type> all;
    for (int i = lane; i < columns; i += W) all.add(load(x + i));
    for (int apart = W / 2; apart; apart /= 2)
        all.add(__shfl_xor_sync(0xffffffffu, all.largest, apart, W),
                __shfl_xor_sync(0xffffffffu, all.total, apart, W));
    return all;
}

template <typename T, int W>
__global__ void softmax(const T *x, T *y, long long rows, int columns) {
    ROW;
    x += row * columns, y += row * columns;
    const Exponentials<A> all = exponentials<W>(x, INSIDE ? columns : 0, lane);
    for (int i = lane; INSIDE && i < columns; i += W)
        store(y + i, A(exp(load(x + i) - all.largest) / all.total));
}

template <typename T, int W>
__global__ void log_softmax(const T *x, T *y, long long rows, int columns) {
    ROW;
    x += row * columns, y += row * columns;
    const Exponentials<A> all = exponentials<W>(x, INSIDE ? columns : 0, lane);
    const A logarithm = log(all.total);
    for (int i = lane; INSIDE && i < columns; i += W)
        store(y + i, A(load(x + i) - all.largest - logarithm));
}

template <typename T, int W>
__global__ void softmax_backward(const T *g, const T *y, T *dx, long long rows, int columns) {
    ROW;
    g += row * columns, y += row * columns, dx += row * columns;
    A average = 0;
    for (int i = lane; INSIDE && i < columns; i += W) average += load(g + i) * load(y + i);
    average = group_sum<W>(average);
    for (int i = lane; INSIDE && i < columns; i += W)
        store(dx + i, A(load(y + i) * (load(g + i) - average)));
}

template <typename T, int W>
__global__ void log_softmax_backward(const T *g, const T *y, T *dx, long long rows, int columns) {
    ROW;
    g += row * columns, y += row * columns, dx += row * columns;
    A total = 0;
    for (int i = lane; INSIDE && i < columns; i += W) total += load(g + i);
    total = group_sum<W>(total);
    for (int i = lane; INSIDE && i < columns; i += W)
        store(dx + i, A(load(g + i) - exp(load(y + i)) * total));
}

// Cross-entropy with one label a row. A label that is out of range has no answer: nan.
template <typename T, int W>
__global__ void cross_entropy(const T *x, const long long *labels, T *losses, long long rows,
                              int columns) {
    ROW;
    x += row * columns;
    const Exponentials<A> all = exponentials<W>(x, INSIDE ? columns : 0, lane);
    if (!INSIDE || lane) return;
    const long long label = labels[row];
    const bool valid = label >= 0 && label < columns;
    store(losses + row, A(valid ? log(all.total) - (load(x + label) - all.largest) : A(NAN)));
}

// g: one number a row, or the same for all (g_step 0), times `scale`.
template <typename T, int W>
__global__ void cross_entropy_backward(const T *g, int g_step, double scale, const T *x,
                                       const long long *labels, T *dx, long long rows,
                                       int columns) {
    ROW;
    x += row * columns, dx += row * columns;
    const Exponentials<A> all = exponentials<W>(x, INSIDE ? columns : 0, lane);
    if (!INSIDE) return;
    const long long label = labels[row];
    const bool valid = label >= 0 && label < columns;
    const A factor = valid ? load(g + row * g_step) * A(scale) : A(NAN);
    for (int i = lane; i < columns; i += W) {
        const A p = exp(load(x + i) - all.largest) / all.total;
        store(dx + i, A((i == label ? p - 1 : p) * factor));
    }
}

// The sum of not too many numbers, times `scale`: one block of 256 threads, in a fixed order.
template <typename T> __global__ void total(const T *x, T *sum, double scale, long long count) {
    typedef typename wide<T>::type A;
    __shared__ A partial[256];
    A own = 0;
    for (long long i = threadIdx.x; i < count; i += 256) own += load(x + i);
    partial[threadIdx.x] = own;
    for (int half = 128; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    }
    if (!threadIdx.x) store(sum, A(partial[0] * A(scale)));
}
