// The noise of the positions at which a pass may select tokens or draft them, and the tokens that stand before.
#include <algorithm>

#include "cuda/runtime.cuh"
#include "cuda/sampling.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, RUN = 4 * THREADS;  // tokens of a block
constexpr unsigned MOST_PAIRS = 64;              // that are drawn side by side

// A sequence that selects, and at which positions.
struct Selecting {
    int32_t sequence, first_segment, last_segment, position, positions;
};

// That of the sequence at its place in the pass; no positions where it has no rows or selects nothing.
__device__ __forceinline__ Selecting selecting_at(const PrepareSelection& work, int order) {
    const RowsView& rows = work.rows;
    if (order >= rows.active_sequences() || rows.active_segments() == 0) return {};
    const int32_t last = rows.segment_of[rows.last_rows[order]];
    const Segment& segment = rows.segments[last];
    if (segment.sets_root == 0) return {};
    int32_t first_segment = last;
    while (first_segment > 0 && rows.segments[first_segment - 1].order == segment.order) --first_segment;
    // Trees may still grow to their most levels; what is drawn too early is used later.
    const bool is_tree = last < rows.state->trees;
    return {segment.sequence, first_segment, last, is_tree ? segment.first + 1 : segment.first + segment.count,
            is_tree ? work.sampling.window : 1};
}

// Grid: runs of tokens, pairs of a sequence and a position, of which a block takes one after the other; a thread draws
// four tokens.
__global__ void __launch_bounds__(THREADS) draw_noise_kernel(PrepareSelection work) {
    begin_in_turn();
    const SamplingView& sampling = work.sampling;
    const int64_t token = int64_t{blockIdx.x} * RUN + int64_t{threadIdx.x} * 4;
    if (token >= sampling.stride) return;
    const int pairs = work.rows.active_sequences() * sampling.window;
    for (auto pair = static_cast<int>(blockIdx.y); pair < pairs; pair += static_cast<int>(gridDim.y)) {
        const Selecting one = selecting_at(work, pair / sampling.window);
        const int32_t index = pair % sampling.window, position = one.position + index;
        if (index >= one.positions) continue;
        const SelectionOptions& options = sampling.options[one.sequence];
        if (!options.draws() || sampling.has_noise(one.sequence, position)) continue;
        scalar::U32 words[4];
        noise_words(options.seed, position, scalar::U32{static_cast<uint32_t>(token / 4)}, words);
        float4 drawn;
        drawn.x = gumbel<scalar::F32>(words[0]).v;
        drawn.y = gumbel<scalar::F32>(words[1]).v;
        drawn.z = gumbel<scalar::F32>(words[2]).v;
        drawn.w = gumbel<scalar::F32>(words[3]).v;
        *reinterpret_cast<float4*>(sampling.noise_at(one.sequence, position) + token) = drawn;
    }
}

// One block a sequence. A launch of its own: the drawing blocks look at the tags.
__global__ void __launch_bounds__(THREADS) note_history_kernel(PrepareSelection work) {
    begin_in_turn();
    const Selecting one = selecting_at(work, static_cast<int>(blockIdx.x));
    if (one.positions == 0) return;
    const SamplingView& sampling = work.sampling;
    const SelectionOptions& options = sampling.options[one.sequence];
    const auto thread = static_cast<int32_t>(threadIdx.x);
    if (options.draws() && thread < one.positions) {
        const int32_t position = one.position + thread;
        sampling.tags[sampling.place(one.sequence, position)] = {options.seed, position};
    }
    if (options.penalised == 0) return;
    int32_t* occurrences = sampling.occurrences_of(one.sequence);
    for (int32_t v = thread; v < sampling.vocabulary; v += THREADS) occurrences[v] = 0;
    __syncthreads();
    // with_occurrence, in any order.
    const auto add = [&](int32_t token, bool generated) {
        if (!sampling.knows(token)) return;
        if (generated) atomicAdd(&occurrences[token], 2);
        atomicOr(&occurrences[token], 1);
    };
    const RowsView& rows = work.rows;
    const Segment& first = rows.segments[one.first_segment];
    const int32_t* history = sampling.history_of(one.sequence);
    for (int32_t p = thread; p < first.first; p += THREADS) add(history[p] >> 1, (history[p] & 1) != 0);
    if (one.first_segment < rows.state->trees) return;
    const Segment& last = rows.segments[one.last_segment];
    for (int32_t row = first.row + thread; row < last.row + last.count; row += THREADS) add(rows.tokens[row], false);
}

}  // namespace

hydra_status prepare_selection(Stream* stream, const PrepareSelection* arguments) {
    const auto sequences = static_cast<unsigned>(arguments->rows.most_sequences());
    const auto runs = static_cast<unsigned>((arguments->sampling.stride + RUN - 1) / RUN);
    const dim3 grid(runs, std::min(sequences * static_cast<unsigned>(arguments->sampling.window), MOST_PAIRS));
    const hydra_status status = launch(stream, "draw_noise_kernel", draw_noise_kernel, grid, THREADS, 0, *arguments);
    if (status != HYDRA_OK) return status;
    return launch(stream, "note_history_kernel", note_history_kernel, sequences, THREADS, 0, *arguments);
}

}  // namespace hydra::cuda
