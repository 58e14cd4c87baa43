// The best candidates of a draft head, with the noise by which the tokens will be selected.
#include "cuda/giving.cuh"
#include "cuda/runtime.cuh"
#include "cuda/sampling.cuh"
#include "cuda/top.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

struct RankShared {
    Best best[WARPS];
    int64_t sums[WARPS];
    float values[WARPS * HYDRA_MAX_TOP];
    int32_t indices[WARPS * HYDRA_MAX_TOP];
};

// The k best scores, equal ones by smaller index, in the first warp: each warp looks at a run of the columns.
template <class Score>
__device__ WarpTop best_scores(int32_t columns, int k, RankShared& shared, Score&& score) {
    const int warp = warp_index(), lane = lane_index();
    WarpTop own;
    const auto begin = static_cast<int32_t>(int64_t{columns} * warp / WARPS);
    const auto end = static_cast<int32_t>(int64_t{columns} * (warp + 1) / WARPS);
    for (int32_t first = begin; first < end; first += WARP) {
        const int32_t i = first + lane;
        own.offer(k, i < end ? score(i) : 0.0f, i, i < end);
    }
    if (lane < k) {
        shared.values[warp * k + lane] = own.value;
        shared.indices[warp * k + lane] = own.index;
    }
    __syncthreads();
    WarpTop merged;
    for (int first = 0; warp == 0 && first < WARPS * k; first += WARP) {
        const int entry = first + lane;
        const bool offers = entry < WARPS * k;
        merged.offer(k, offers ? shared.values[entry] : 0.0f, offers ? shared.indices[entry] : 0, offers);
    }
    return merged;
}

// One block a row.
__global__ void __launch_bounds__(THREADS) rank_kernel(Rank work, Giving giving) {
    begin_in_turn();
    const auto row = static_cast<int>(blockIdx.x);
    if (row >= work.rows.active()) return;
    const SelectedRow at = selected_row(work.rows, row);
    if (at.position < 0) return;
    RankShared& shared = shared_memory<RankShared>();
    const auto columns = static_cast<int32_t>(work.columns);
    const float* logits = work.logits + row * work.columns;
    const SamplingView& sampling = work.sampling;
    const bool draws = sampling.options != nullptr && sampling.options[at.sequence].draws();
    const RowNoise noise = draws ? noise_of_row(sampling, at) : RowNoise{};
    const float inverse = draws ? sampling.options[at.sequence].inverse_temperature : 1;
    const auto score = [&](int32_t i) {
        if (!draws) return finite(logits[i]);
        const int32_t token = work.ids != nullptr ? work.ids[i] : i;
        return finite(finite(logits[i]) * inverse + (sampling.knows(token) ? noise(token) : LEAST_NOISE));
    };
    const float most = best_of(columns, shared.best, score).score;
    const int64_t all = sum_of(columns, shared.sums, [&](int32_t i) { return mass(most - score(i)); });
    const WarpTop best = best_scores(columns, work.top.k, shared, score);
    const int lane = lane_index();
    if (warp_index() != 0) return;
    int32_t id = -1;
    if (lane < work.top.k) {
        id = work.ids != nullptr ? work.ids[best.index] : best.index;
        work.top.ids[row * work.top.k + lane] = id;
        work.top.values[row * work.top.k + lane] = best.value - (most + log_of_mass(all));
    }
    if (giving.levels > 0) give_row(giving, row, id);
}

hydra_status launch_rank(Stream* stream, const Rank* arguments, const Giving& giving) {
    return launch(stream, "rank_kernel", rank_kernel, static_cast<unsigned>(arguments->rows.max_rows), THREADS,
                  sizeof(RankShared), *arguments, giving);
}

}  // namespace

hydra_status rank(Stream* stream, const Rank* arguments) { return launch_rank(stream, arguments, {}); }

hydra_status rank_and_draft_tokens(Stream* stream, const Rank* arguments, const DraftTokens* tokens, int32_t levels) {
    return launch_rank(stream, arguments, {*tokens, levels});
}

}  // namespace hydra::cuda
