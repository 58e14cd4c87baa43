// LM head product + the best entries of each row, without storing logits unless asked to.
//
// Each block of the grid computes a share of the tiles, equal to the others' but for one tile, for up to 64 rows, and
// keeps the k best of every row in shared memory; a second small kernel merges the blocks' lists in order, so that of
// equal values the one of the smaller index stays first. The parts of a wave's rows lie side by side in the grid, as in
// all products (product.cuh).
#include <algorithm>

#include "cuda/giving.cuh"
#include "cuda/product.cuh"
#include "cuda/top.cuh"

namespace hydra::cuda {

namespace {

constexpr int MERGE_WARPS = 8;
constexpr int HEAD_SHARES = 264;  // at most: two for each multiprocessor of an H100
using HeadShape = Shape<2, 4>;

struct Work {
    RowSource source;
    Preparation x;
    MatrixView weight;
    const float* bias;  // or null
    const int32_t* ids;
    float scale, cap;  // or 0
    TopView top;
    float* logits;       // or null
    int32_t* selection;  // the best entries, or null
    int shares;
    float* values;     // [parts][shares][BLOCK_ROWS][k]: the best of each share
    int32_t* indices;  // the same
};

template <hydra_type type, int GROUPS>
struct LmHeadShared {
    static constexpr int ROWS = type == HYDRA_F32 ? BLOCK_ROWS : GROUPS * ROW_GROUP;
    static constexpr int OWN_BYTES = ROW_GROUP * HeadShape::OUTPUTS * 4 + ROWS * HYDRA_MAX_TOP * 8;
    PipelineShared<type, 1, HeadShape, GROUPS, OWN_BYTES> pipeline;
    float logits[ROW_GROUP][HeadShape::OUTPUTS];  // of the group at hand
    float values[ROWS][HYDRA_MAX_TOP];
    int32_t indices[ROWS][HYDRA_MAX_TOP];
};

// Grid: parts of the wave's rows, times shares. Warp w keeps the lists of rows w, w + 8, ...
template <hydra_type type, int GROUPS>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1) lm_head_kernel(Work work) {
    const auto row_parts = static_cast<unsigned>(work.source.parts());
    const auto row_part = static_cast<int>(blockIdx.x % row_parts), share = static_cast<int>(blockIdx.x / row_parts);
    const int first_row = work.source.first + row_part * BLOCK_ROWS;
    const int k = work.top.k, lane = lane_index();
    let_next_kernel_begin();
    int rows = 0;  // known when the kernels before have ended
    auto& shared = shared_memory<LmHeadShared<type, GROUPS>>();
    const Prepared& x = work.x.forms[static_cast<int>(form_of(type))];
    const int64_t all_tiles = tiles_of(work.weight.rows), vocabulary = work.weight.rows;
    const int64_t first_tile = all_tiles * share / work.shares, end_tile = all_tiles * (share + 1) / work.shares;
    const auto first_of_row = [&](int row) { return first_tile + int64_t{row} * HeadShape::BLOCK_TILES; };
    const auto tiles_of_row = [&](int row) {
        TileRow<1> tiles;
        tiles.template set<type>(0, work.weight, first_of_row(row));
        tiles.count = static_cast<int>(min(end_tile - first_of_row(row), int64_t{HeadShape::BLOCK_TILES}));
        return tiles;
    };
    const auto take_row = [&](int row, auto&& hand) {
        const int64_t first = first_of_row(row) * TILE_ROWS;
        const int64_t end = min(vocabulary, end_tile * TILE_ROWS);
        const auto take = [&](int r, int place, bool real, const float4(&values)[1]) {
            const float four[4] = {values[0].x, values[0].y, values[0].z, values[0].w};
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const auto n = static_cast<int>(column_of(place, i));
                if (!real || first + n >= vocabulary) continue;
                float value = four[i];
                if (work.bias != nullptr) value += work.bias[first + n];
                if (work.scale != 0) value *= work.scale;
                if (work.cap != 0) value = soft_cap(value, work.cap);
                shared.logits[r % ROW_GROUP][n] = value;
                if (work.logits != nullptr) work.logits[(first_row + r) * vocabulary + first + n] = value;
            }
        };
        const auto offer = [&](int first_of_group) {
            const int r = first_of_group + warp_index();
            if (r >= rows || k == 0) return;
            WarpTop best{shared.values[r][lane], shared.indices[r][lane]};
            for (int n = lane; n < HeadShape::OUTPUTS; n += WARP) {
                const bool offers = first + n < end;
                best.offer(k, offers ? shared.logits[r % ROW_GROUP][n] : 0.0f, static_cast<int32_t>(first + n), offers);
            }
            shared.values[r][lane] = best.value;
            shared.indices[r][lane] = best.index;
        };
        static_assert(PRODUCT_WARPS == ROW_GROUP);
        hand(take, offer);
    };
    const auto tile_rows =
        static_cast<int>((end_tile - first_tile + HeadShape::BLOCK_TILES - 1) / HeadShape::BLOCK_TILES);
    const auto wait_for_rows = [&] {
        wait_for_kernels_before();
        rows = min(product_rows(work.source) - row_part * BLOCK_ROWS, BLOCK_ROWS);
        for (int r = warp_index(); r < rows; r += PRODUCT_WARPS) {
            shared.values[r][lane] = -INFINITY;
            shared.indices[r][lane] = 0;
        }
        return rows;
    };
    shared.pipeline.barriers.begin();
    walk<type, 1, HeadShape, GROUPS>(shared.pipeline, shared.pipeline.barriers, x, row_part * BLOCK_ROWS,
                                     {0, 0, tile_rows * static_cast<int>(x.blocks)}, tiles_of_row, take_row,
                                     wait_for_rows);
    for (int r = warp_index(); r < rows; r += PRODUCT_WARPS) {
        if (lane >= k) continue;
        const int64_t at = ((int64_t{row_part} * work.shares + share) * BLOCK_ROWS + r) * k + lane;
        work.values[at] = shared.values[r][lane];
        work.indices[at] = shared.indices[r][lane];
    }
}

struct MergeShared {
    float values[MERGE_WARPS * HYDRA_MAX_TOP];
    int32_t indices[MERGE_WARPS * HYDRA_MAX_TOP];
};

// One block a row: each warp merges a run of the lists, the first warp what they found.
__global__ void __launch_bounds__(MERGE_WARPS* WARP) merge_top_kernel(Work work, Giving giving) {
    begin_in_turn();
    const int row = static_cast<int>(blockIdx.x), k = work.top.k, lane = lane_index(), warp = warp_index();
    if (row >= product_rows(work.source)) return;
    MergeShared& shared = shared_memory<MergeShared>();
    WarpTop best;
    const int64_t first = int64_t{work.shares} * warp / MERGE_WARPS * k;
    const int64_t end = int64_t{work.shares} * (warp + 1) / MERGE_WARPS * k,
                  lists = int64_t{row / BLOCK_ROWS} * work.shares;
    for (int64_t begin = first; begin < end; begin += WARP) {
        const int64_t entry = begin + lane;
        const bool offers = entry < end;
        const int64_t at = offers ? ((lists + entry / k) * BLOCK_ROWS + row % BLOCK_ROWS) * k + entry % k : 0;
        best.offer(k, offers ? work.values[at] : 0.0f, offers ? work.indices[at] : 0, offers);
    }
    if (lane < k) {
        shared.values[warp * k + lane] = best.value;
        shared.indices[warp * k + lane] = best.index;
    }
    __syncthreads();
    if (warp != 0) return;
    WarpTop merged;
    for (int begin = 0; begin < MERGE_WARPS * k; begin += WARP) {
        const int entry = begin + lane;
        const bool offers = entry < MERGE_WARPS * k;
        merged.offer(k, offers ? shared.values[entry] : 0.0f, offers ? shared.indices[entry] : 0, offers);
    }
    int32_t id = -1;
    if (lane < k) {
        const int target = (work.source.first + row) * k + lane;
        id = work.ids != nullptr ? work.ids[merged.index] : merged.index;
        work.top.ids[target] = id;
        work.top.values[target] = merged.value;
        if (work.selection != nullptr && lane == 0) work.selection[work.source.first + row] = id;
    }
    if (giving.levels > 0) give_row(giving, work.source.first + row, id);
}

}  // namespace

int64_t top_workspace_bytes(int32_t max_rows, int64_t max_rows_of_a_matrix) {
    const int64_t shares = std::min<int64_t>(HEAD_SHARES, tiles_of(max_rows_of_a_matrix));
    return wave_parts(max_rows) * shares * BLOCK_ROWS * HYDRA_MAX_TOP * 8;
}

namespace {

hydra_status launch_lm_head(Stream* stream, const LmHead* arguments, int32_t* selection, const Giving& giving) {
    const MatrixView& weight = arguments->weight;
    const RowsView& view = arguments->rows;
    const bool selected = arguments->selected_rows_only != 0;
    const RowSource all{view, selected ? Taken::SELECTED : Taken::ALL, arguments->x, nullptr, 0, weight.columns};
    const bool keeps = arguments->top.ids != nullptr;
    const int32_t rows = selected && keeps ? std::min(arguments->top.max_rows, view.max_rows) : view.max_rows;
    const auto shares = static_cast<int>(std::min<int64_t>(HEAD_SHARES, tiles_of(weight.rows)));
    float* values =
        static_cast<float*>(arguments->workspace) + product_workspace_bytes(*stream->device, rows, weight.columns) / 4;
    auto* indices =
        reinterpret_cast<int32_t*>(values + int64_t{wave_parts(rows)} * shares * BLOCK_ROWS * arguments->top.k);
    return each_wave(all, rows, WAVE_ROWS, [&](const RowSource& source) {
        Preparation x;
        hydra_status status = prepare_rows(stream, source, arguments->workspace, arguments->given, {weight.type}, &x);
        if (status != HYDRA_OK) return status;
        const Work work{source,
                        x,
                        weight,
                        arguments->bias,
                        arguments->ids,
                        arguments->scale,
                        arguments->cap,
                        arguments->top,
                        arguments->logits,
                        selection,
                        shares,
                        values,
                        indices};
        status = with_type(weight.type, [&](auto tag) {
            constexpr hydra_type type = decltype(tag)::type;
            return with_groups<type, 8>(source.wave_rows, [&](auto groups) {
                return launch(stream, "lm_head_kernel", lm_head_kernel<type, groups.value>,
                              static_cast<unsigned>(shares * source.parts()), PRODUCT_THREADS,
                              sizeof(LmHeadShared<type, groups.value>), work);
            });
        });
        if (status != HYDRA_OK || !keeps) return status;
        return launch(stream, "merge_top_kernel", merge_top_kernel, static_cast<unsigned>(source.wave_rows),
                      MERGE_WARPS * WARP, sizeof(MergeShared), work, giving);
    });
}

}  // namespace

hydra_status lm_head(Stream* stream, const LmHead* arguments) { return launch_lm_head(stream, arguments, nullptr, {}); }

hydra_status lm_head_and_select(Stream* stream, const LmHead* arguments, const Select* select) {
    return launch_lm_head(stream, arguments, select->selection, {});
}

hydra_status lm_head_and_draft_tokens(Stream* stream, const LmHead* arguments, const DraftTokens* tokens,
                                      int32_t levels) {
    return launch_lm_head(stream, arguments, nullptr, {*tokens, levels});
}

}  // namespace hydra::cuda
