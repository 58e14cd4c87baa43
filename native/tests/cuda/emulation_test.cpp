// That the emulation forgives no more than a GPU would.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cuda/emulation/cuda.h"

namespace hydra::emulation {
namespace {

bool run(dim3 grid, dim3 block, size_t shared, const std::function<void()>& thread, unsigned cluster = 1) {
    return run_kernel({"test_kernel", grid, block, shared, cluster}, [&] {
        wait_for_kernels_before(Site::current());
        thread();
    });
}

void expect_failure(const std::function<void()>& thread, const std::string& part) {
    EXPECT_FALSE(run(1, 64, 0, thread));
    const std::string message = failure();
    EXPECT_NE(message.find("kernel test_kernel, block (0, 0, 0)"), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("emulation_test.cpp"), std::string::npos) << message;
}

TEST(Emulation, RunsEveryThreadOfEveryBlockOnce) {
    std::vector<int> seen(2 * 3 * 4 * 96);
    EXPECT_TRUE(run(dim3(2, 3, 4), 96, 0, [&] {
        const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        ++seen[block * blockDim.x + threadIdx.x];
    }));
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
}

TEST(Emulation, MeetsAtBarriersAndPoisonsSharedMemory) {
    std::vector<float> poison(64), turned(64);
    EXPECT_TRUE(run(1, 64, 64 * sizeof(float), [&] {
        auto* shared = static_cast<float*>(shared_memory());
        poison[threadIdx.x] = shared[threadIdx.x];
        shared[threadIdx.x] = static_cast<float>(threadIdx.x);
        __syncthreads();
        turned[threadIdx.x] = shared[63 - threadIdx.x];
    }));
    for (int i = 0; i < 64; ++i) {
        EXPECT_TRUE(std::isnan(poison[i]));
        EXPECT_EQ(turned[i], 63 - i);
    }
}

TEST(Emulation, ExchangesBetweenTheLanesOfAWarp) {
    EXPECT_TRUE(run(1, 64, 0, [&] {
        const int lane = static_cast<int>(threadIdx.x % 32), mine = static_cast<int>(threadIdx.x);
        for (int round = 0; round < 3; ++round) {
            EXPECT_EQ(__shfl_sync(~0u, mine + round, 5), mine - lane + 5 + round);
            EXPECT_EQ(__shfl_xor_sync(~0u, mine, 3), mine ^ 3);
            EXPECT_EQ(__shfl_up_sync(~0u, mine, 2), lane < 2 ? mine : mine - 2);
            EXPECT_EQ(__ballot_sync(~0u, lane % 3 == round), round == 0   ? 0x49249249u
                                                             : round == 1 ? 0x92492492u
                                                                          : 0x24924924u);
        }
    }));
}

// What the device may do as late as that, the emulation does.
TEST(Emulation, CopiesWhenTheirGroupIsWaitedFor) {
    struct Sixteen {
        float values[4];
    };
    std::vector<Sixteen> source(3);
    for (int i = 0; i < 3; ++i) source[i].values[0] = static_cast<float>(i);
    EXPECT_TRUE(run(1, 32, 32 * 3 * sizeof(Sixteen), [&] {
        auto* own = static_cast<Sixteen*>(shared_memory()) + threadIdx.x * 3;
        for (int i = 0; i < 3; ++i) own[i].values[0] = 7;
        for (int i = 0; i < 2; ++i) {
            begin_copy(&own[i], &source[i]);
            end_copies();
        }
        begin_copy(&own[2], &source[2]);
        EXPECT_TRUE(std::isnan(own[0].values[0]) && std::isnan(own[2].values[0]));
        wait_for_copies(1);
        EXPECT_EQ(own[0].values[0], 0);
        EXPECT_TRUE(std::isnan(own[1].values[0]) && std::isnan(own[2].values[0]));
        wait_for_copies(0);
        EXPECT_EQ(own[1].values[0], 1);
        EXPECT_TRUE(std::isnan(own[2].values[0])) << "its group has not ended";
        end_copies();
        wait_for_copies(0);
        EXPECT_EQ(own[2].values[0], 2);
    }));
}

TEST(Emulation, RefusesABarrierThatNotAllReach) {
    expect_failure(
        [] {
            if (threadIdx.x < 32) {
                __syncthreads();
            } else {
                __shfl_sync(~0u, 1, 0);
                __syncthreads();
            }
        },
        "different barriers");
    expect_failure(
        [] {
            if (threadIdx.x == 7) __syncthreads();
            if (threadIdx.x != 7) __syncwarp();
        },
        "not all threads reach");
}

TEST(Emulation, RefusesACollectiveOfPartOfAWarp) {
    expect_failure(
        [] {
            if (threadIdx.x % 32 < 20) __syncwarp();
        },
        "");
    expect_failure(
        [] {
            if (threadIdx.x % 2 == 0) {
                __ballot_sync(~0u, 1);
            } else {
                __syncwarp();
            }
        },
        "different collectives");
}

TEST(Emulation, RefusesAThreadThatDoesNotWaitForTheKernelsBefore) {
    const auto some_wait = [] {
        if (threadIdx.x % 2 == 0) wait_for_kernels_before(Site::current());
    };
    EXPECT_FALSE(run_kernel({"test_kernel", 1, 32, 0}, some_wait));
    EXPECT_NE(std::string(failure()).find("has not waited for the kernels before"), std::string::npos) << failure();
}

// Where the kernel before writes what a thread copies before it waits, a device would copy one or the other.
TEST(Emulation, RefusesACopyBeforeTheKernelThatWritesItsSourceHasEnded) {
    struct alignas(16) Sixteen {
        int values[4];
    };
    std::vector<Sixteen> weights(64), rows(64);
    bool of_rows = false;
    int after = 0;
    const auto thread = [&] {
        begin_copy(static_cast<Sixteen*>(shared_memory()) + threadIdx.x,
                   of_rows ? &rows[threadIdx.x] : &weights[threadIdx.x]);
        end_copies();
        wait_for_kernels_before(Site::current());
        wait_for_copies(0);
        ++after;
    };
    const Launch launch{"test_kernel", 1, 64, 64 * sizeof(Sixteen)};
    for (const bool writes : {false, true}) {
        for (const bool reads : {false, true}) {
            of_rows = reads;
            after = 0;
            EarlyCopies early;
            EXPECT_TRUE(begin_kernel(launch, thread, early));
            EXPECT_EQ(after, 0) << "nothing after the wait runs ahead";
            if (writes) rows[7].values[1] += 1;
            EXPECT_EQ(run_kernel(launch, thread, &early), !(writes && reads));
            if (writes && reads) {
                EXPECT_NE(std::string(failure()).find("thread 7,"), std::string::npos) << failure();
            }
        }
    }
}

int value_of_block(unsigned rank) {
    return *static_cast<const int*>(shared_of_block(shared_memory(), sizeof(int), rank, Site::current()));
}

TEST(Emulation, LetsTheBlocksOfAClusterReadEachOthersSharedMemory) {
    std::vector<int> seen(2 * 12 * 64);
    EXPECT_TRUE(run(
        dim3(12, 2), 64, sizeof(int),
        [&] {
            if (threadIdx.x == 7) *static_cast<int*>(shared_memory()) = static_cast<int>(100 * blockIdx.y + blockIdx.x);
            cluster_barrier(Site::current());
            const unsigned next = (blockIdx.x + 1) % 4;
            __syncthreads();
            seen[(blockIdx.y * 12 + blockIdx.x) * 64 + threadIdx.x] = value_of_block(next);
            cluster_barrier(Site::current());
        },
        4));
    for (int y = 0; y < 2; ++y) {
        for (int x = 0; x < 12; ++x) {
            for (int i = 0; i < 64; ++i) {
                EXPECT_EQ(seen[(y * 12 + x) * 64 + i], 100 * y + x / 4 * 4 + (x + 1) % 4);
            }
        }
    }
}

void expect_cluster_failure(unsigned blocks, unsigned cluster, const std::function<void()>& thread,
                            const std::string& part) {
    EXPECT_FALSE(run(blocks, 64, sizeof(int), thread, cluster));
    EXPECT_NE(std::string(failure()).find(part), std::string::npos) << failure();
}

TEST(Emulation, RefusesToReadABlockThatMayNotRun) {
    const auto barrier = [] { cluster_barrier(Site::current()); };
    expect_cluster_failure(
        4, 4, [] { value_of_block(1); }, "may not have begun");
    expect_cluster_failure(
        4, 4,
        [&] {
            barrier();
            value_of_block((blockIdx.x + 1) % 4);
        },
        "may have ended");
    expect_cluster_failure(
        4, 2,
        [&] {
            barrier();
            value_of_block(2);
            barrier();
        },
        "has no such block");
    expect_cluster_failure(
        2, 2,
        [&] {
            barrier();
            shared_of_block(static_cast<int*>(shared_memory()) + 1, sizeof(int), 0, Site::current());
            barrier();
        },
        "no address of the block's shared memory");
}

TEST(Emulation, RefusesABarrierThatNotAllOfAClusterReach) {
    expect_cluster_failure(
        6, 2,
        [] {
            if (blockIdx.x % 2 == 1) cluster_barrier(Site::current());
        },
        "not all threads reach the barrier of the cluster");
    expect_cluster_failure(
        2, 2,
        [] {
            if (blockIdx.x == 0) {
                cluster_barrier(Site::current());
            } else {
                cluster_barrier(Site::current());
            }
        },
        "threads of the cluster wait at different barriers");
    expect_cluster_failure(
        6, 4, [] {}, "clusters of 4 of 6 blocks");
    expect_cluster_failure(
        16, 16, [] {}, "clusters of 16 of 16 blocks");
}

TEST(Emulation, LetsTheFirstThreadsOfABlockMeetAlone) {
    std::vector<int> turned(2 * 64);
    EXPECT_TRUE(run(2, 128, 128 * sizeof(int), [&] {
        auto* shared = static_cast<int*>(shared_memory());
        if (threadIdx.x < 64) {
            for (int round = 0; round < 2; ++round) {
                shared[threadIdx.x] = static_cast<int>(threadIdx.x) + round;
                barrier_of_first(64, Site::current());
                turned[blockIdx.x * 64 + threadIdx.x] = shared[63 - threadIdx.x];
                barrier_of_first(64, Site::current());
            }
        }
        __syncthreads();
    }));
    for (int i = 0; i < 2 * 64; ++i) EXPECT_EQ(turned[i], 64 - i % 64);
    expect_failure(
        [] {
            if (threadIdx.x >= 32) barrier_of_first(32, Site::current());
        },
        "none of those that are to meet");
    expect_failure(
        [] {
            if (threadIdx.x != 5) barrier_of_first(64, Site::current());
        },
        "not all threads reach");
}

bool cooperate(dim3 grid, dim3 block, const std::function<void()>& thread) {
    return run_kernel({"test_kernel", grid, block, sizeof(int), 1, true}, [&] {
        wait_for_kernels_before(Site::current());
        thread();
    });
}

// Blocks of a cooperative launch are all there: each may wait for any other, whichever comes first.
TEST(Emulation, LetsTheBlocksOfACooperativeLaunchWaitForEachOther) {
    constexpr int BLOCKS = 6, ROUNDS = 3;
    std::vector<int32_t> counters(ROUNDS * BLOCKS), seen(ROUNDS * BLOCKS);
    EXPECT_TRUE(cooperate(dim3(3, 2), 64, [&] {
        const unsigned block = blockIdx.y * 3 + blockIdx.x;
        for (int round = 0; round < ROUNDS; ++round) {
            const unsigned other = (block + 1) % BLOCKS;
            if (threadIdx.x == 0) {
                ++counters[round * BLOCKS + block];
                wait_for_count(&counters[round * BLOCKS + other], 1, Site::current());
                seen[round * BLOCKS + block] = counters[round * BLOCKS + other];
            }
            __syncthreads();
        }
    }));
    EXPECT_EQ(seen, std::vector<int32_t>(seen.size(), 1));
}

TEST(Emulation, RefusesACountThatNobodyReaches) {
    int32_t counter = 0;
    EXPECT_FALSE(cooperate(4, 32, [&] {
        if (threadIdx.x == 0 && blockIdx.x != 2) ++counter;
        if (threadIdx.x == 0) wait_for_count(&counter, 4, Site::current());
    }));
    EXPECT_NE(std::string(failure()).find("not all threads reach the count"), std::string::npos) << failure();
    EXPECT_FALSE(run(4, 32, 0, [&] { wait_for_count(&counter, 4, Site::current()); }));
    EXPECT_NE(std::string(failure()).find("waits for others that may not run"), std::string::npos) << failure();
    EXPECT_FALSE(cooperate(40, 32, [] {}));
    EXPECT_NE(std::string(failure()).find("a cooperative launch of 40 blocks"), std::string::npos) << failure();
    EXPECT_FALSE(cooperate(2, 32, [] { cluster_barrier(Site::current()); }));
    EXPECT_NE(std::string(failure()).find("has no clusters"), std::string::npos) << failure();
}

// As a block that does not wait for what it reads may find what was there before, or what comes.
TEST(Emulation, RefusesToCopyWhatOthersChangeMeanwhile) {
    struct alignas(16) Sixteen {
        int values[4];
    };
    for (const bool waits : {true, false}) {
        Sixteen source{};
        int32_t counter = 0, begun = 0;
        EXPECT_EQ(run_kernel({"test_kernel", 2, 32, 32 * sizeof(Sixteen), 1, true},
                             [&] {
                                 wait_for_kernels_before(Site::current());
                                 auto* own = static_cast<Sixteen*>(shared_memory()) + threadIdx.x;
                                 const bool writes = blockIdx.x == 1;
                                 if (waits && !writes) wait_for_count(&counter, 32, Site::current());
                                 if (!writes) begin_copy(own, &source), ++begun;
                                 end_copies();
                                 if (!waits && writes) wait_for_count(&begun, 32, Site::current());
                                 if (writes) ++source.values[2], ++counter;
                                 wait_for_count(&counter, 32, Site::current());
                                 wait_for_copies(0);
                             }),
                  waits);
        if (waits) continue;
        EXPECT_NE(std::string(failure()).find("changed while"), std::string::npos) << failure();
    }
}

// What bulk copies fill.
struct alignas(16) Filled {
    uint64_t barriers[2];
    alignas(16) int values[2][64];
};

Filled& filled() { return *static_cast<Filled*>(shared_memory()); }

// Begins the first barrier, for so many threads.
void begin_barrier(unsigned arrivals) {
    if (threadIdx.x == 0) {
        begin_phases(&filled().barriers[0], arrivals, Site::current());
        order_before_copies();
    }
    __syncthreads();
}

void wait_for(uint32_t parity) { wait_for_phase(&filled().barriers[0], parity, Site::current()); }

void copy(int place, const int* source, int bytes, int to = 0) {
    copy_bulk(filled().values[place] + to, source, bytes, &filled().barriers[0], Site::current());
}

void expect(int bytes) { expect_bytes(&filled().barriers[0], bytes, Site::current()); }
void arrive_at() { arrive(&filled().barriers[0], Site::current()); }

// Each warp copies a half of 64 values, three times; a phase is announced before the threads arrive at it, too.
TEST(Emulation, CopiesInBulkWhenThePhaseIsWaitedFor) {
    const bool early = getenv("HYDRA4J_EMULATION_EARLY") != nullptr;
    alignas(16) int source[3][64];
    for (int i = 0; i < 3 * 64; ++i) source[i / 64][i % 64] = i;
    std::vector<int> seen(3 * 64);
    EXPECT_TRUE(run(1, 64, sizeof(Filled), [&] {
        begin_barrier(2);
        const int half = static_cast<int>(threadIdx.x / 32 * 32);
        for (int phase = 0; phase < 3; ++phase) {
            if (threadIdx.x % 32 == 0) {
                expect(128);
                copy(0, source[phase] + half, 128, half);
                EXPECT_EQ(filled().values[0][half + 1], early ? source[phase][half + 1] : -1) << "NaN while under way";
                arrive_at();
            }
            wait_for(phase % 2);
            seen[phase * 64 + threadIdx.x] = filled().values[0][63 - threadIdx.x];
            wait_for(phase % 2);
            __syncthreads();
        }
    }));
    for (int i = 0; i < 3 * 64; ++i) EXPECT_EQ(seen[i], source[i / 64][63 - i % 64]);
}

void expect_bulk_failure(const std::function<void()>& thread, const std::string& part) {
    EXPECT_FALSE(run(1, 64, sizeof(Filled), thread));
    EXPECT_NE(std::string(failure()).find(part), std::string::npos) << failure() << ", not " << part;
}

TEST(Emulation, RefusesAPhaseThatDoesNotEnd) {
    alignas(16) static int source[64];
    const auto waits = [](unsigned arrivals, int expected, int copied, uint32_t parity) {
        return [=] {
            begin_barrier(arrivals);
            if (threadIdx.x == 0) {
                expect(expected);
                if (copied > 0) copy(0, source, copied);
                arrive_at();
            }
            wait_for(0);
            wait_for(parity);
        };
    };
    EXPECT_TRUE(run(1, 64, sizeof(Filled), waits(1, 64, 64, 0)));
    expect_bulk_failure(waits(1, 64, 64, 1), "the phase of parity 1");
    expect_bulk_failure(waits(2, 64, 64, 0), "1 threads have not arrived");
    expect_bulk_failure(waits(1, 128, 64, 0), "64 announced bytes are not those of copies");
    expect_bulk_failure(waits(1, 0, 64, 0), "-64 announced bytes are not those of copies");
    expect_bulk_failure(
        [] {
            begin_barrier(1);
            arrive_at();
            arrive_at();
            expect(16);
            arrive_at();
            if (threadIdx.x == 0) arrive_at();
        },
        "more threads arrive");
    expect_bulk_failure(
        [] {
            begin_barrier(1);
            expect(1 << 19);
        },
        "less than a megabyte");
}

TEST(Emulation, RefusesABulkCopyThatADeviceWouldNotDo) {
    alignas(16) static int source[68];
    const auto copies = [](const std::function<void()>& begin, const std::function<void()>& copying) {
        return [=] {
            begin();
            if (threadIdx.x == 33) copying();
            wait_for(1);
        };
    };
    const auto begins = [] { begin_barrier(1); };
    expect_bulk_failure(copies(begins, [] { copy(0, source, 8); }), "multiples of 16");
    expect_bulk_failure(copies(begins, [] { copy(0, source, 0); }), "multiples of 16");
    expect_bulk_failure(copies(begins, [] { copy(0, source + 1, 16); }), "multiples of 16");
    expect_bulk_failure(copies(begins, [] { copy(0, source, 16, 2); }), "multiples of 16");
    expect_bulk_failure(copies(begins, [] { copy(1, source, 64, 52); }), "beyond the block's shared memory");
    expect_bulk_failure(
        copies(begins, [] { copy_bulk(filled().values, source, 16, &filled().barriers[1], Site::current()); }),
        "no barrier was begun here");
    expect_bulk_failure(copies(begins, [] { filled().barriers[0] = 0, copy(0, source, 16); }), "written over");
    expect_bulk_failure(copies(begins, [] { begin_phases(filled().barriers, 1, Site::current()); }), "a second time");
    expect_bulk_failure(copies(begins,
                               [] {
                                   auto* place = reinterpret_cast<unsigned char*>(filled().barriers);
                                   begin_phases(place + 12, 1, Site::current());
                               }),
                        "8 aligned bytes");
    const auto begins_alone = [](bool announces, bool meets) {
        return [=] {
            if (threadIdx.x == 33) begin_phases(filled().barriers, 1, Site::current());
            if (threadIdx.x == 33 && announces) order_before_copies();
            if (meets) __syncthreads();
        };
    };
    expect_bulk_failure(copies(begins_alone(false, true), [] { copy(0, source, 16); }), "announced");
    expect_bulk_failure(copies(begins_alone(true, false), [] {}), "");
    if (getenv("HYDRA4J_EMULATION_EARLY") != nullptr) return;
    expect_bulk_failure(copies(begins,
                               [] {
                                   copy(0, source, 32);
                                   copy(0, source, 16, 4);
                               }),
                        "two copies under way");
    expect_bulk_failure(copies(begins, [] { expect(16), copy(0, source, 16); }), "a block ends while");
}

// A device of 8.0 has none.
TEST(Emulation, HasNoBulkCopiesOnAnOlderDevice) {
    alignas(16) static int source[4];
    setenv("HYDRA4J_EMULATION_CAPABILITY", "8.0", 1);
    expect_bulk_failure(
        [] {
            EXPECT_FALSE(has_bulk_copies());
            begin_barrier(1);
            copy(0, source, 16);
        },
        "no bulk copies");
    unsetenv("HYDRA4J_EMULATION_CAPABILITY");
    EXPECT_TRUE(run(1, 32, 0, [] { EXPECT_TRUE(has_bulk_copies()); }));
}

TEST(Emulation, RefusesABulkCopyOfWhatChanges) {
    alignas(16) static int source[64];
    int after = 0;
    const auto thread = [&] {
        begin_barrier(1);
        if (threadIdx.x == 32) expect(256), copy(1, source, 256), arrive_at();
        wait_for_kernels_before(Site::current());
        wait_for(0);
        ++after;
    };
    const Launch launch{"test_kernel", 1, 64, sizeof(Filled)};
    for (const bool changes : {false, true}) {
        EarlyCopies early;
        EXPECT_TRUE(begin_kernel(launch, thread, early));
        EXPECT_EQ(after, 0) << "nothing after the wait runs ahead";
        if (changes) ++source[63];
        EXPECT_EQ(run_kernel(launch, thread, &early), !changes);
        if (changes) {
            EXPECT_NE(std::string(failure()).find("thread 32,"), std::string::npos) << failure();
        }
        after = 0;
    }
    if (getenv("HYDRA4J_EMULATION_EARLY") != nullptr) return;
    expect_bulk_failure(
        [] {
            begin_barrier(1);
            if (threadIdx.x == 0) expect(16), copy(0, source, 16), ++source[0], arrive_at();
            wait_for(0);
        },
        "changed while");
}

TEST(Emulation, FaultsBehindTheEndOfAnAllocation) {
    CUcontext context = nullptr;
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 1024), cudaErrorDeviceUninitialized) << "no context is current";
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(cuCtxPushCurrent(context), CUDA_SUCCESS);
    ASSERT_EQ(cudaMalloc(&memory, 1024), cudaSuccess);
    auto* bytes = static_cast<volatile char*>(memory);
    EXPECT_EQ(bytes[1023], static_cast<char>(0xff));
    EXPECT_DEATH(bytes[1024] = 0, "");
    cudaFree(memory);
    EXPECT_EQ(cuCtxPopCurrent(&context), CUDA_SUCCESS);
}

}  // namespace
}  // namespace hydra::emulation
