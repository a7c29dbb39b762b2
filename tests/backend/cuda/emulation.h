// CUDA's words for a host compiler: a block's threads are real threads, one block after another.
// It shows what a kernel computes. It shows nothing of its speed, of races between blocks, or of
// what NVRTC and a GPU make of it.
#pragma once
#include "words.h"

#include <barrier>
#include <thread>
#include <vector>

#define __shared__ static

inline std::barrier<> *everyone;
inline double exchanged[1024];

inline void __syncthreads() { everyone->arrive_and_wait(); }

template <typename T> T __shfl_xor_sync(unsigned, T value, int apart, int = 32) {
    const unsigned me = threadIdx.x + blockDim.x * threadIdx.y;
    exchanged[me] = double(value);
    __syncthreads();
    const T other = T(exchanged[me ^ unsigned(apart)]);
    __syncthreads();
    return other;
}

template <typename Kernel, typename... Arguments>
void launch(Index grid, Index block, Kernel kernel, Arguments... arguments) {
    blockDim = block, gridDim = grid;
    const unsigned size = block.x * block.y;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++) for (unsigned x = 0; x < grid.x; x++) {
            std::barrier<> barrier(size);
            everyone = &barrier;
            std::vector<std::thread> threads;
            for (unsigned t = 0; t < size; t++)
                threads.emplace_back([=, &barrier] {
                    threadIdx = {t % block.x, t / block.x, 0}, blockIdx = {x, y, z};
                    kernel(arguments...);
                    barrier.arrive_and_drop();
                });
            for (auto &thread : threads) thread.join();
        }
}
