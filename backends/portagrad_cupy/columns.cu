// Sums over the rows of a matrix, for the gradient of a bias, in one launch or two.
//
// A matrix has few columns, too few to fill a GPU with a block for 32 of them. So many rows are
// cut into parts: first each block sums 32 columns of one part, then the same kernel sums the
// parts. The order of every sum is fixed, so the result is the same in every run.

// R rows of 32 threads add up `value(i)` of the elements i of their columns.
template <int R, typename A, typename S, typename Value>
__device__ void sum_columns(Value value, S *sums, long long rows, int columns, long long part) {
    __shared__ A partial[R][33];  // a 33rd column, so that a column is not one bank of memory
    const int column = blockIdx.x * 32 + threadIdx.x;
    const long long first = blockIdx.y * part;
    const long long end = first + part < rows ? first + part : rows;
    A sum = 0;
    if (column < columns)
        for (long long row = first + threadIdx.y; row < end; row += R)
            sum += value(row * columns + column);
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || column >= columns) return;
    for (int i = 1; i < R; i++) sum += partial[i][threadIdx.x];
    store(sums + (long long)blockIdx.y * columns + column, sum);
}

template <typename T, typename S, int R>
__global__ void column_sum(const T *x, S *sums, long long rows, int columns, long long part) {
    typedef typename wide<T>::type A;
    sum_columns<R, A>([=](long long i) { return load(x + i); }, sums, rows, columns, part);
}

// The derivative of each activation, from its result.
struct Sigmoid {
    template <typename A> static __device__ A backward(A g, A y) { return g * y * (A(1) - y); }
};
struct Tanh {
    template <typename A> static __device__ A backward(A g, A y) { return g * (A(1) - y * y); }
};
struct Relu {  // exactly 0, also for an infinite g
    template <typename A> static __device__ A backward(A g, A y) { return y <= A(0) ? A(0) : g; }
};

// A cotangent pulled back through an activation, and summed for the bias before it, as it is
// written: nothing is read twice.
template <typename F, typename T, typename S, int R>
__global__ void activation_backward(const T *g, const T *y, T *dx, S *sums, long long rows,
                                    int columns, long long part) {
    typedef typename wide<T>::type A;
    sum_columns<R, A>(
        [=](long long i) {
            const A pulled = F::backward(load(g + i), load(y + i));
            store(dx + i, pulled);
            return pulled;
        },
        sums, rows, columns, part);
}
