// The token selected at each row that asks for one: the best of its candidates, or the winner of a race with noise. In
// a step where nothing is drawn it has no launch of its own, as the LM head before it selects.
//
// A block takes a row. It reads the logits once for each thing that it looks for: the best one, the mass, each digit of
// the boundaries of top-k and top-p, and the winner; sums are of whole numbers, in any order.
#include <algorithm>

#include "cuda/runtime.cuh"
#include "cuda/sampling.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) select_best_kernel(Select work) {
    begin_in_turn();
    const int i = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
    if (i >= min(work.rows.active_selections(), work.top.max_rows)) return;
    work.selection[i] = work.top.ids[i * work.top.k];
}

constexpr int ROW_THREADS = 512, ROW_WARPS = ROW_THREADS / WARP;
constexpr int DIGIT_BITS = 11, BINS = 1 << DIGIT_BITS, LANE_BINS = BINS / WARP;

struct SelectShared {
    Best best[ROW_WARPS];
    int64_t sums[ROW_WARPS];
    unsigned long long bins[BINS];  // counts or masses
    unsigned long long before;      // of bins before the one that was found
    int32_t bin;
    int32_t ancestors[HYDRA_MAX_NODES], count;  // tokens on the path of a tree's node
};

// The logits of a row with biases and penalties.
struct RowLogits {
    const float* logits;
    const float* bias;           // or null
    const int32_t* occurrences;  // or null
    const SelectionOptions& options;
    const SelectShared& shared;

    __device__ __forceinline__ float operator()(int32_t token) const {
        float logit = logits[token];
        if (bias != nullptr) logit += bias[token];
        if (occurrences != nullptr) {
            int32_t times = occurrences[token];
            for (int i = 0; i < shared.count; ++i) {
                if (shared.ancestors[i] == token) times = with_occurrence(times, true);
            }
            logit = penalised_logit(logit, times, options);
        }
        return finite(logit);
    }
};

__device__ __forceinline__ float distance_of(float best, float logit, float inverse) {
    return max(scalar::F32{(best - logit) * inverse}, scalar::F32{0}).v;
}

// Those before it, by distance and then token, and itself are kept.
struct Boundary {
    uint32_t distance;  // bits
    int32_t token;

    __device__ __forceinline__ bool keeps(uint32_t bits, int32_t own) const {
        return bits < distance || (bits == distance && own <= token);
    }
};

// The first bin with which the sum of all up to it reaches `needed`, and what the ones before it have, to all threads.
__device__ int find_bin(SelectShared& shared, int64_t needed) {
    __syncthreads();
    if (warp_index() == 0) {
        int64_t own = 0;
        for (int b = 0; b < LANE_BINS; ++b) own += static_cast<int64_t>(shared.bins[lane_index() * LANE_BINS + b]);
        int64_t end = own;
        for (int by = 1; by < WARP; by *= 2) {
            const int64_t other = __shfl_up_sync(ALL_LANES, end, by);
            if (lane_index() >= by) end += other;
        }
        const unsigned reach = __ballot_sync(ALL_LANES, end >= needed);
        if (lane_index() == (reach != 0 ? __ffs(static_cast<int>(reach)) : WARP) - 1) {
            int64_t before = end - own;
            int bin = lane_index() * LANE_BINS;
            const int last = bin + LANE_BINS - 1;
            while (bin < last && before + static_cast<int64_t>(shared.bins[bin]) < needed) {
                before += static_cast<int64_t>(shared.bins[bin++]);
            }
            shared.bin = bin;
            shared.before = static_cast<unsigned long long>(before);
        }
    }
    __syncthreads();
    return shared.bin;
}

// Finds one digit of the boundary: the sum of weight(i) of all digit_of(i) up to it reaches `needed`, which becomes
// what is needed of those with this very digit. digit_of: negative where i does not count.
template <class DigitOf, class Weight>
__device__ int find_digit(int32_t count, SelectShared& shared, int64_t& needed, DigitOf&& digit_of, Weight&& weight) {
    __syncthreads();
    for (int b = static_cast<int>(threadIdx.x); b < BINS; b += ROW_THREADS) shared.bins[b] = 0;
    __syncthreads();
    for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count; i += ROW_THREADS) {
        const int digit = digit_of(i);
        if (digit >= 0) atomicAdd(&shared.bins[digit], static_cast<unsigned long long>(weight(i)));
    }
    const int digit = find_bin(shared, needed);
    needed -= static_cast<int64_t>(shared.before);
    return digit;
}

// The first digit of a distance: finer than that of its bits where many are.
__device__ __forceinline__ int coarse(float distance) { return static_cast<int>(fminf(distance * 64, BINS - 1)); }

// Of those of `count` tokens that `before` keeps, the fewest whose weights, by their distances, reach `needed`.
template <class Distance, class Weight>
__device__ Boundary find_boundary(int32_t count, SelectShared& shared, Boundary before, int64_t needed,
                                  Distance&& distance, Weight&& weight) {
    const auto weight_at = [&](int32_t i) { return weight(distance(i)); };
    const auto coarse_of = [&](int32_t i) {
        const float d = distance(i);
        return before.keeps(bits_of_float(d), i) ? coarse(d) : -1;
    };
    const int bin = find_digit(count, shared, needed, coarse_of, weight_at);
    uint64_t found = 0;
    for (int shift = 21; shift >= -1; shift -= DIGIT_BITS) {
        const int by = max(shift, 0), digits = shift < 0 ? DIGIT_BITS - 1 : DIGIT_BITS;
        const auto digit_of = [&](int32_t i) {
            if (coarse_of(i) != bin) return -1;
            const uint64_t bits = bits_of_float(distance(i));
            if (bits >> (by + digits) != found >> (by + digits)) return -1;
            return static_cast<int>(bits >> by & ((1u << digits) - 1));
        };
        const int digit = find_digit(count, shared, needed, digit_of, weight_at);
        found |= static_cast<uint64_t>(digit) << by;
    }
    const auto bits = static_cast<uint32_t>(found);
    // Of equal distances, and so weights, the smaller tokens.
    const int64_t each = weight(float_of_bits(bits));
    int64_t ties = (needed + each - 1) / each;
    int32_t token = 0;
    for (int shift = 2 * DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
        const auto digit_of = [&](int32_t i) {
            const int by = shift + DIGIT_BITS;
            if (static_cast<int64_t>(i) >> by != static_cast<int64_t>(token) >> by) return -1;
            const uint32_t own = bits_of_float(distance(i));
            return own == bits && before.keeps(own, i) ? i >> shift & (BINS - 1) : -1;
        };
        token |= find_digit(count, shared, ties, digit_of, [](int32_t) { return int64_t{1}; }) << shift;
    }
    return {bits, token};
}

// What top-k and top-p keep.
template <class Distance>
__device__ Boundary filter(const SelectionOptions& options, int32_t count, SelectShared& shared, Distance&& distance) {
    Boundary boundary{~0u, INT32_MAX};
    if (options.top_k != INT32_MAX) {
        boundary = find_boundary(count, shared, boundary, options.top_k, distance, [](float) { return int64_t{1}; });
    }
    if (options.top_p < 1) {
        const int64_t all = sum_of(count, shared.sums, [&](int32_t i) {
            const float d = distance(i);
            return boundary.keeps(bits_of_float(d), i) ? mass(d) : 0;
        });
        const auto needed = static_cast<int64_t>(ceil(options.top_p * static_cast<double>(all)));
        boundary = find_boundary(count, shared, boundary, needed, distance, [](float d) { return mass(d); });
    }
    return boundary;
}

__device__ int32_t select_token(const Select& work, int i, const float* logits, SelectShared& shared) {
    const int32_t best_of_top = work.top.ids[i * work.top.k];
    if (work.sampling.options == nullptr) return best_of_top;
    const RowsView& rows = work.rows;
    const SelectedRow at = selected_row(rows, rows.row_of_selection(i));
    const SamplingView& sampling = work.sampling;
    const SelectionOptions& options = sampling.options[at.sequence];
    if (options.takes_best()) return best_of_top;
    const bool penalised = options.penalised != 0;
    const auto thread = static_cast<int>(threadIdx.x);
    if (thread < HYDRA_MAX_NODES && (at.ancestors >> thread & 1) != 0) {
        shared.ancestors[__popcll(at.ancestors & ((uint64_t{1} << thread) - 1))] =
            rows.tokens[rows.segments[at.segment].row + thread];
    }
    if (thread == 0) shared.count = __popcll(at.ancestors);
    __syncthreads();
    const int32_t count = sampling.vocabulary;
    const RowLogits logit{logits, options.biased != 0 ? sampling.bias_of(at.sequence) : nullptr,
                          penalised ? sampling.occurrences_of(at.sequence) : nullptr, options, shared};
    const Best best = best_of(count, shared.best, logit);
    if (!options.draws()) return best.token;
    const auto distance = [&](int32_t v) { return distance_of(best.score, logit(v), options.inverse_temperature); };
    const Boundary boundary = filter(options, count, shared, distance);
    const RowNoise noise = noise_of_row(sampling, at);
    const auto score = [&](int32_t v) {
        const float d = distance(v);
        // The best token is always kept, and wins at any distance where the score is below every number.
        if (d > options.most_distance || !boundary.keeps(bits_of_float(d), v)) return -INFINITY;
        return noise(v) - d;
    };
    return best_of(count, shared.best, score).token;
}

__global__ void __launch_bounds__(ROW_THREADS) select_kernel(Select work) {
    begin_in_turn();
    const auto i = static_cast<int>(blockIdx.x);
    if (i >= min(work.rows.active_selections(), work.top.max_rows)) return;
    SelectShared& shared = shared_memory<SelectShared>();
    const float* logits = work.logits + i * work.vocabulary;
    const int32_t token = select_token(work, i, logits, shared);
    if (threadIdx.x == 0) work.selection[i] = token;
    if (work.log_probabilities == nullptr) return;
    const auto count = static_cast<int32_t>(work.vocabulary);
    const float most = best_of(count, shared.best, [&](int32_t v) { return finite(logits[v]); }).score;
    const int64_t all =
        sum_of(count, shared.sums, [&](int32_t v) { return mass(distance_of(most, finite(logits[v]), 1)); });
    if (threadIdx.x != 0) return;
    work.log_probabilities[2 * i] = token >= 0 && token < count ? logits[token] : -INFINITY;
    work.log_probabilities[2 * i + 1] = most + log_of_mass(all);
}

}  // namespace

hydra_status select(Stream* stream, const Select* arguments) {
    const TopView& top = arguments->top;
    if (arguments->sampling.options == nullptr && arguments->log_probabilities == nullptr) {
        const auto blocks = static_cast<unsigned>((top.max_rows + THREADS - 1) / THREADS);
        return launch(stream, "select_best_kernel", select_best_kernel, blocks, THREADS, 0, *arguments);
    }
    const auto rows = static_cast<unsigned>(std::min(top.max_rows, arguments->rows.max_rows));
    return launch(stream, "select_kernel", select_kernel, rows, ROW_THREADS, sizeof(SelectShared), *arguments);
}

}  // namespace hydra::cuda
