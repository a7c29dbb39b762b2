// Sums over the rows of a matrix, for the gradient of a bias, in one launch or two.
//
// A matrix has few columns, too few to fill a GPU with a block for 32 of them. So many rows are
// cut into parts: first each block sums 32 columns of one part, then the same kernel sums the
// parts. The order of every sum is fixed, so the result is the same in every run.

template <typename T, typename S, int R>
__global__ void column_sum(const T *x, S *sums, long long rows, int columns, long long part) {
    typedef typename wide<T>::type A;
    __shared__ A partial[R][33];  // a 33rd column, so that a column is not one bank of memory
    const int column = blockIdx.x * 32 + threadIdx.x;
    const long long first = blockIdx.y * part;
    const long long end = first + part < rows ? first + part : rows;
    A sum = 0;
    if (column < columns)
        for (long long row = first + threadIdx.y; row < end; row += R)
            sum += load(x + row * columns + column);
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || column >= columns) return;
    for (int i = 1; i < R; i++) sum += partial[i][threadIdx.x];
    store(sums + (long long)blockIdx.y * columns + column, sum);
}
