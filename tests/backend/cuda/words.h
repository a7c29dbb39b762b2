// CUDA's words for a host compiler, as far as threads wait for nobody.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#define __global__
#define __launch_bounds__(threads)
#define __device__
#define __forceinline__ inline
#define __restrict__

using std::exp, std::fmax, std::fmin, std::log, std::sqrt, std::tanh, std::fabs, std::isfinite;

inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return float(normcdf(double(x))); }

struct __half { _Float16 value; };
struct __nv_bfloat16 { uint16_t bits; };
inline float __half2float(__half x) { return float(x.value); }
inline __half __float2half_rn(float x) { return {_Float16(x)}; }
inline float __bfloat162float(__nv_bfloat16 x) { return std::bit_cast<float>(uint32_t(x.bits) << 16); }
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    if (x != x) return {uint16_t(bits >> 16 | 64)};
    return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};  // half-way goes to even
}

struct Index { unsigned x, y, z; };
inline thread_local Index threadIdx, blockIdx;
inline Index blockDim, gridDim;

// One thread after another.
template <typename Kernel, typename Arguments>
void launch_in_turn(Index grid, Index block, Kernel kernel, const Arguments &arguments) {
    blockDim = block, gridDim = grid;
    for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++)
            for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++) kernel(arguments);
}
