// Tree attention over an F16 cache with the matrix instruction: head sizes 64, 96, 128 and 256, with windows and caps.
// What is computed of a leaf of 64 keys, and why its bits depend on nothing else, is in attention_leaf.cuh.
//
// Floor: the bytes of the keys and values, read once, or the instruction's rate: 64 nodes of 4 query heads a KV head
// need 128 multiply-adds for every byte. Not measured on any card yet. Counted (128 columns; version 1 was tiles of 32
// keys in blocks of eight warps, an own launch for every merge, and no windows, caps or 256 columns):
//                                        version 1            now
//   blocks by shared memory, sm_90       2, 1 of 83, 98 KB    3, 3, 2 of 58 (few), 68, 85 KB
//   registers there, nothing spilt       128, 255             154, 168, 255
//   launches for 1 row, for 64           2, 2                 1, 2
//   blocks of the prefix at 512, 2048 and 8192 positions
//     32 KV heads, 1 row, 64             64, 256, 640, same   256, 384, 384, 64, 256, 384
//      8 KV heads, 1 row, 64             32, 128, 224, same   64, 256, 352, 64, 128, 320
//   one after the other at 512, 1 row    4 tiles by a warp    a leaf by four
//   under way to a multiprocessor        17 to 70 KB          70 (four groups) to 104 KB
//   a warp folds 64 keys of 32 vectors   544 FMA, 48 SHFL     272 FMA, 24 SHFL
//   kept and read, 8 KV heads, 64 rows at 8192        60 MB   43 MB
// Of no size is anything spilt for sm_80, sm_90, sm_100 or sm_120 (CUDA 13.0). sm_90: 64 columns take 119, 159 and 242
// registers, 96 138, 164 and 254, 256 168 and 239; sm_100: 64 128, 155 and 231, 96 148, 164 and 240, 128 158, 163 and
// 239, 256 168 and 239. Four groups of 128 columns spilt 4160 bytes, 360 of them each leaf, while the compiler was free
// to keep the values of a leaf beside the sums that they are folded into (Sums::IS_APART), and what is looked up seldom
// was in registers (Facts); 168 and 128 bytes for sm_100 and sm_120, up to ten sums among them, while what only the end
// of a part needs was computed ahead, a division by the cap was a call, and scores were free to be loaded ahead
// (SCORES_ARE_APART). Of their leaf's instructions, 2335 are now 2278 for sm_100, 2553 are 2527 for sm_120, and for
// sm_90 there are 2350 as before.
// DRAM round trips in a row are two, page table and keys, as before; all others find the L2 cache.
//
// A block has four warps. The whole leaves of the prefix are shared out over blocks by parts (PrefixParts), keys and
// values of a leaf in turn through a ring of stages in shared memory that cp.async fills ahead, over the parts' borders
// too. Within a part, leaves are folded in registers, so that only a part's sums are kept in memory.
//   few vectors, up to 16 of a KV head: the warps divide a leaf, 16 keys each for the scores, then every fourth 16
//   columns of the values; the last block that is done merges the parts;
//   many: the warps divide the vectors, up to 128 a block, 4 WARP_GROUPS groups; what the blocks keep is too much for
//   the last one of them, so that a second kernel merges, a warp for each vector.
// Other blocks of the same grid compute the tails (attention_tail.cuh).
//
// What parts leave could be folded before it goes to memory: between the blocks of a cluster, of neighbouring parts, or
// by a block that takes several of them. Both are expected not to be worth it (tests/cost_model.h, with all that is
// unsure taken in their favour; `step_benchmark expected` prints it for 512 to 32768 positions and 1, 16, 64 rows). Of
// a pass in bf16 the best of clusters of 2, 4, 8 and of 2, 4 parts a block changes +0.6 to -1.6 % for 1B, -0.1 to
// -2.2 % for 7B, 0 to -1.1 % for 8B:
//   clusters spare a trip through the cache and the second launch where one has all parts and the tail, up to eight
//   blocks: 0.6 to 1.4 us a layer, 1.6 % at the most. Where several clusters have the parts, what blocks exchange (2.65
//   TB/s) takes as long as writing and reading it in the L2 cache (5.5 TB/s), and barriers come on top: 0.3 to 2.4 us a
//   layer are lost;
//   parts folded by a block need room for a second set of sums beside those in registers, 33 KB of 64 vectors of 128
//   columns, and so a block of a multiprocessor less, and make the longest way twice as long: where there are
//   blocks enough, from 8192 positions on, 2.2 % are left at the most.
//
// Accuracy: queries (times scale) and weights are rounded to f16, an error of up to 2^-11 of each, about what rounding
// keys and values to f16 did before: of normal queries, keys and values the outputs' error in the tests is up to
// 3e-4. Sums are float32.
#include <algorithm>

#include "cuda/attention_mma.cuh"
#include "cuda/tasks.cuh"

namespace hydra::cuda {
namespace {

constexpr int WARPS = ATTENTION_WARPS, THREADS = ATTENTION_THREADS;

template <int D>
__global__ void __launch_bounds__(THREADS, 3) few_attention_kernel(FewAttention part) {
    begin_in_turn();
    part.run<D>(blockIdx);
}

// With two groups a warp, three blocks fit a multiprocessor, with four, two.
template <int D, int WARP_GROUPS>
__global__ void __launch_bounds__(THREADS, WARP_GROUPS == 4 || D == 256 ? 2 : 3)
    many_attention_kernel(ManyAttention part) {
    begin_in_turn();
    part.run<D, WARP_GROUPS>(blockIdx);
}

template <int D>
__global__ void __launch_bounds__(THREADS) merge_mma_attention_kernel(MergedAttention part) {
    begin_in_turn();
    part.run<D>(blockIdx);
}

// Parts of the whole leaves of so many positions, at most.
int32_t most_parts(int32_t window, int32_t positions, bool few) {
    const Splits splits = splits_of(window);
    const int32_t seen = splits.rungs == 0 ? std::min(positions, window + HYDRA_MAX_NODES + LEAF) : positions;
    const int32_t shortest = splits.rungs == 0 ? seen : std::min(seen, Splits::FIRST_RUNG * Splits::SHORTEST);
    return splits.count(seen) + 1 + (few ? (shortest + LEAF - 1) / LEAF : 0);
}

bool is_few(const Attention& work) { return most_vectors(work) <= FEW_GROUPS * GROUP; }

// A launch's grid and what its blocks compute.
template <class Part>
struct Planned {
    dim3 grid;
    Part part;
};

Planned<MergedAttention> plan_merge(const Attention& work, const AttentionWave& wave, const Leaving& left, bool few,
                                    int columns) {
    const int reach = std::min(work.rows.max_rows, WAVE_REACH) * (work.heads / work.pool.kv_heads);
    return {dim3(static_cast<unsigned>((reach + WARPS - 1) / WARPS), static_cast<unsigned>(work.pool.kv_heads),
                 static_cast<unsigned>((columns + MERGED_COLUMNS - 1) / MERGED_COLUMNS)),
            {work, wave, left, few}};
}

constexpr int32_t SLOTS = 3 * 132;  // blocks that an H100 takes at once

Planned<FewAttention> plan_few(const Attention& work, const AttentionWave& wave, const Leaving& left, int32_t slots) {
    const int32_t segments = most_segments(work.rows), heads = work.pool.kv_heads;
    const int32_t workers = workers_of(work, most_parts(work.window, most_positions(work), true), heads, slots);
    const bool is_merged = int64_t{segments} * heads * 4 <= WORKSPACE_ZEROS;
    auto* counters = is_merged ? static_cast<int32_t*>(work.workspace) : nullptr;
    return {dim3(static_cast<unsigned>(heads), static_cast<unsigned>(1 + workers), static_cast<unsigned>(segments)),
            {work, wave, left, workers, counters}};
}

template <int WARP_GROUPS>
Planned<ManyAttention> plan_many(const Attention& work, const AttentionWave& wave, int32_t slots) {
    const int32_t heads = work.pool.kv_heads, groups = groups_of(most_vectors(work));
    const auto blocks_of = [&](int32_t warp_groups) {
        return (groups + WARPS * warp_groups - 1) / (WARPS * warp_groups);
    };
    const int32_t tails = (groups + TAIL_GROUPS - 1) / TAIL_GROUPS;
    const int32_t workers =
        workers_of(work, most_parts(work.window, most_positions(work), false), heads * blocks_of(WARP_GROUPS), slots);
    return {dim3(static_cast<unsigned>(heads), static_cast<unsigned>(workers * blocks_of(SHARED_GROUPS) + tails),
                 static_cast<unsigned>(most_segments(work.rows))),
            {work, wave, workers, blocks_of(SHARED_GROUPS)}};
}

template <int D>
hydra_status launch_merge(Stream* stream, const Planned<MergedAttention>& plan) {
    return launch(stream, "merge_mma_attention_kernel", merge_mma_attention_kernel<D>, plan.grid, THREADS, 0,
                  plan.part);
}

template <int D>
hydra_status launch_few(Stream* stream, const Planned<FewAttention>& plan) {
    constexpr size_t BYTES = FewAttention::BYTES<D>;
    static_assert(BYTES <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");
    return launch(stream, "few_attention_kernel", few_attention_kernel<D>, plan.grid, THREADS, BYTES, plan.part);
}

template <int D, int WARP_GROUPS>
hydra_status launch_many(Stream* stream, const Planned<ManyAttention>& plan) {
    constexpr size_t BYTES = ManyAttention::BYTES<D, WARP_GROUPS>;
    static_assert(BYTES <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");
    return launch(stream, "many_attention_kernel", many_attention_kernel<D, WARP_GROUPS>, plan.grid, THREADS, BYTES,
                  plan.part);
}

template <int D, int WARP_GROUPS>
hydra_status launch_waves(Stream* stream, const Attention& work, const Leaving& left) {
    const bool few = is_few(work);
    return each_wave(work, [&](const AttentionWave& wave) {
        hydra_status status;
        bool is_merged = false;
        if (few) {
            const Planned<FewAttention> plan = plan_few(work, wave, left, SLOTS);
            is_merged = plan.part.counters != nullptr;
            status = launch_few<D>(stream, plan);
        } else {
            status = launch_many<D, WARP_GROUPS>(stream, plan_many<WARP_GROUPS>(work, wave, SLOTS));
        }
        if (status != HYDRA_OK || is_merged) return status;
        return launch_merge<D>(stream, plan_merge(work, wave, left, few, D));
    });
}

// Of a list of tasks that `blocks` blocks share out, a pass of one wave.
template <int D>
void add_tasks(Stream* stream, const Attention& work, const Leaving& left, int blocks) {
    const AttentionWave wave(work, 0);
    TaskQueue& queue = *stream->tasks;
    const bool few = is_few(work);
    bool is_merged = false;
    if (few) {
        const Planned<FewAttention> plan = plan_few(work, wave, left, blocks);
        is_merged = plan.part.counters != nullptr;
        queue.add(TaskKind::FEW_ATTENTION, plan.grid, plan.part, [=] { return launch_few<D>(stream, plan); });
    } else {
        const Planned<ManyAttention> plan = plan_many<SHARED_GROUPS>(work, wave, blocks);
        queue.add(TaskKind::MANY_ATTENTION, plan.grid, plan.part,
                  [=] { return launch_many<D, SHARED_GROUPS>(stream, plan); });
    }
    if (is_merged) return;
    const Planned<MergedAttention> plan = plan_merge(work, wave, left, few, D);
    queue.add(TaskKind::MERGED_ATTENTION, plan.grid, plan.part, [=] { return launch_merge<D>(stream, plan); });
}

// Few query heads a KV head make fewer vectors than the large blocks are for; of 256 columns, registers are full with
// two groups a warp.
template <int D>
hydra_status launch_attention(Stream* stream, const Attention& work) {
    const Leaving left = leave(work.left, work.rows, int64_t{work.heads} * D, 0);
    if constexpr (D == TASK_HEAD_SIZE) {
        if (const int blocks = blocks_for_attention(stream, work.rows.max_rows); blocks > 0) {
            add_tasks<D>(stream, work, left, blocks);
            return HYDRA_OK;
        }
    }
    if constexpr (D < 256) {
        if (work.heads / work.pool.kv_heads > 2) return launch_waves<D, 4>(stream, work, left);
    }
    return launch_waves<D, 2>(stream, work, left);
}

}  // namespace

int64_t mma_attention_bytes(int32_t max_rows, int32_t heads, int32_t head_size, int32_t max_positions) {
    int64_t most = 0;
    for (bool few : {false, true}) {
        const int32_t rows = std::min(max_rows, few ? FEW_GROUPS * GROUP : WAVE_REACH);
        for (int32_t window : {0, SHORT_WINDOW}) {
            most = std::max(most, int64_t{TAIL_LEAVES + most_parts(window, max_positions, few)} * rows);
        }
    }
    return most * heads * (head_size + 2) * 4;
}

hydra_status mma_attention(Stream* stream, const Attention& work) {
    switch (work.pool.head_size) {
        case 64:
            return launch_attention<64>(stream, work);
        case 96:
            return launch_attention<96>(stream, work);
        case 128:
            return launch_attention<128>(stream, work);
        default:
            return launch_attention<256>(stream, work);
    }
}

}  // namespace hydra::cuda
