// What is stored narrow is computed wide: half precision in float, everything else as it is.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#ifndef INFINITY  // NVRTC has no <cmath>
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif

template <typename T> struct wide { typedef T type; };
template <> struct wide<__half> { typedef float type; };
template <> struct wide<__nv_bfloat16> { typedef float type; };

template <typename T> __device__ typename wide<T>::type load(const T *x) { return *x; }
template <> __device__ float load<__half>(const __half *x) { return __half2float(*x); }
template <> __device__ float load<__nv_bfloat16>(const __nv_bfloat16 *x) { return __bfloat162float(*x); }

template <typename T, typename A> __device__ void store(T *y, A value) { *y = value; }
template <> __device__ void store<__half, float>(__half *y, float value) { *y = __float2half_rn(value); }
template <> __device__ void store<__nv_bfloat16, float>(__nv_bfloat16 *y, float value) {
    *y = __float2bfloat16_rn(value);
}
