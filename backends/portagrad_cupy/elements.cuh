// What generated kernels of elements are written with; writing.py has the rest.

typedef signed char int8;
typedef short int16;
typedef int int32;
typedef long long int64;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned uint32;
typedef unsigned long long uint64;

// N elements that one instruction loads or stores.
template <typename T, int N> struct alignas(sizeof(T) * N) Pack { T at[N]; };

template <int N, typename T> __device__ Pack<T, N> loaded(const T *x) {
    return *reinterpret_cast<const Pack<T, N> *>(x);
}

template <int N, typename T> __device__ void stored(T *y, const Pack<T, N> &value) {
    *reinterpret_cast<Pack<T, N> *>(y) = value;
}

// Only exp(-|x|) is taken: nothing overflows, and small values keep their digits.
template <typename A> __device__ A sigmoid(A x) {
    const A small = exp(x >= A(0) ? -x : x);
    return (x >= A(0) ? A(1) : small) / (A(1) + small);
}

// The first where it is nan, the second where that is: nan stays nan.
template <typename A> __device__ A larger(A a, A b) { return a > b || a != a ? a : b; }
template <typename A> __device__ A smaller(A a, A b) { return a < b || a != a ? a : b; }
template <typename A> __device__ A sign(A x) { return x != x ? x : A((x > A(0)) - (x < A(0))); }
template <typename A> __device__ A square(A x) { return x * x; }

// What is stored narrow, and back: the digits that a conversion leaves.
template <typename T, typename A> __device__ A rounded(A x) {
    T y;
    store(&y, x);
    return load(&y);
}

// What R rows of 32 threads have added up, as the sum of their column, or as a block's share of
// it, which is kept wide. The order is fixed, so the result is the same in every run.
template <int R, bool whole, typename T, typename A>
__device__ void summed(T *sums, A own, uint64 column, uint64 columns) {
    __shared__ A partial[R][33];  // a 33rd column, so that a column is not one bank of memory
    partial[threadIdx.y][threadIdx.x] = own;
    __syncthreads();
    if (!threadIdx.y && column < columns) {
        for (int i = 1; i < R; i++) own += partial[i][threadIdx.x];
        if (whole)
            store(sums + column, own);
        else
            reinterpret_cast<A *>(sums)[blockIdx.y * columns + column] = own;
    }
    __syncthreads();  // the next sum uses the memory again
}
