// LM head product + the best entries of each row, without storing logits unless asked to.
//
// Each block of the grid computes a range of tiles and keeps the k best of every row in shared memory; a second small
// kernel merges the blocks' lists in order, so that of equal values the one of the smaller index stays first. More than
// 64 rows are computed one part of 64 after the other.
#include <algorithm>

#include "cuda/product.cuh"
#include "cuda/top.cuh"

namespace hydra::cuda {

namespace {

constexpr int64_t MOST_BLOCKS = 512;
constexpr int MERGE_WARPS = 8;
using FewOutputs = Shape<2, 1>;
using ManyOutputs = Shape<2, 4>;

struct Work {
    RowSource source;
    void* workspace;
    MatrixView weight;
    const float* bias;  // or null
    const int32_t* ids;
    TopView top;
    float* logits;       // or null
    int32_t* selection;  // the best entries, or null
    int64_t blocks;
    float* values;     // [blocks][BLOCK_ROWS][k]: each block's best
    int32_t* indices;  // the same
};

template <class Shape>
struct LmHeadShared {
    ProductShared<1, Shape> product;
    float logits[BLOCK_ROWS][Shape::OUTPUTS];
    float values[BLOCK_ROWS][HYDRA_MAX_TOP];
    int32_t indices[BLOCK_ROWS][HYDRA_MAX_TOP];
};

// Warp w keeps the lists of rows w, w + 8, ...
template <hydra_type type, class Shape>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1) lm_head_kernel(Work work) {
    const int rows = product_rows(work.source), k = work.top.k, lane = lane_index();
    if (rows == 0) return;
    auto& shared = shared_memory<LmHeadShared<Shape>>();
    for (int r = warp_index(); r < rows; r += PRODUCT_WARPS) {
        shared.values[r][lane] = -INFINITY;
        shared.indices[r][lane] = 0;
    }
    const MatrixView matrices[1] = {work.weight};
    const Prepared x = prepared_of(work.workspace, work.source, form_of(type));
    const int64_t parts = blocks_of_tiles(work.weight, Shape::BLOCK_TILES), vocabulary = work.weight.rows;
    const int64_t end = parts * (blockIdx.x + 1) / work.blocks;
    for (int64_t part = parts * blockIdx.x / work.blocks; part < end; ++part) {
        const int64_t first = part * Shape::OUTPUTS;
        const auto keep = [&](int r, int n, const float(&values)[1][2]) {
            for (int i = 0; i < 2 && first + n + i < vocabulary; ++i) {
                float value = values[0][i] * row_scale<type>(x, r);
                if (work.bias != nullptr) value += work.bias[first + n + i];
                shared.logits[r][n + i] = value;
                if (work.logits != nullptr) work.logits[(work.source.first + r) * vocabulary + first + n + i] = value;
            }
        };
        compute_part<type, 1, Shape>(matrices, {part * Shape::BLOCK_TILES, tiles_of(vocabulary), 0, x.blocks, rows}, x,
                                     shared.product, keep);
        for (int r = warp_index(); r < rows && k > 0; r += PRODUCT_WARPS) {
            WarpTop best{shared.values[r][lane], shared.indices[r][lane]};
            for (int n = lane; n < Shape::OUTPUTS; n += WARP) {
                const bool offers = first + n < vocabulary;
                best.offer(k, offers ? shared.logits[r][n] : 0.0f, static_cast<int32_t>(first + n), offers);
            }
            shared.values[r][lane] = best.value;
            shared.indices[r][lane] = best.index;
        }
        __syncthreads();
    }
    for (int r = warp_index(); r < rows; r += PRODUCT_WARPS) {
        if (lane >= k) continue;
        const int64_t at = (int64_t{blockIdx.x} * BLOCK_ROWS + r) * k + lane;
        work.values[at] = shared.values[r][lane];
        work.indices[at] = shared.indices[r][lane];
    }
}

struct MergeShared {
    float values[MERGE_WARPS * HYDRA_MAX_TOP];
    int32_t indices[MERGE_WARPS * HYDRA_MAX_TOP];
};

// One block a row: each warp merges a run of the lists, the first warp what they found.
__global__ void __launch_bounds__(MERGE_WARPS* WARP) merge_top_kernel(Work work) {
    const int row = static_cast<int>(blockIdx.x), k = work.top.k, lane = lane_index(), warp = warp_index();
    if (row >= product_rows(work.source)) return;
    MergeShared& shared = shared_memory<MergeShared>();
    WarpTop best;
    const int64_t first = work.blocks * warp / MERGE_WARPS * k, end = work.blocks * (warp + 1) / MERGE_WARPS * k;
    for (int64_t begin = first; begin < end; begin += WARP) {
        const int64_t entry = begin + lane;
        const bool offers = entry < end;
        const int64_t at = offers ? (entry / k * BLOCK_ROWS + row) * k + entry % k : 0;
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
    if (lane >= k) return;
    const int target = (work.source.first + row) * k + lane;
    const int32_t id = work.ids != nullptr ? work.ids[merged.index] : merged.index;
    work.top.ids[target] = id;
    work.top.values[target] = merged.value;
    if (work.selection != nullptr && lane == 0) work.selection[work.source.first + row] = id;
}

}  // namespace

int64_t top_workspace_bytes(int64_t max_rows_of_a_matrix) {
    return std::min(MOST_BLOCKS, tiles_of(max_rows_of_a_matrix)) * BLOCK_ROWS * HYDRA_MAX_TOP * 8;
}

namespace {

hydra_status launch_lm_head(Stream* stream, const LmHead* arguments, int32_t* selection) {
    const MatrixView& weight = arguments->weight;
    const RowsView& view = arguments->rows;
    const bool selected = arguments->selected_rows_only != 0;
    const RowSource all{view, selected ? Taken::SELECTED : Taken::ALL, arguments->x, nullptr, 0, weight.columns};
    const bool keeps = arguments->top.ids != nullptr;
    const int32_t rows = selected && keeps ? std::min(arguments->top.max_rows, view.max_rows) : view.max_rows;
    const bool many = weight.rows * weight.columns >= LARGE_VALUES;
    const int64_t parts = blocks_of_tiles(weight, many ? ManyOutputs::BLOCK_TILES : FewOutputs::BLOCK_TILES);
    const int64_t blocks = std::min(MOST_BLOCKS, parts);
    float* values = static_cast<float*>(arguments->workspace) + product_workspace_bytes(BLOCK_ROWS, weight.columns) / 4;
    auto* indices = reinterpret_cast<int32_t*>(values + blocks * BLOCK_ROWS * arguments->top.k);
    return each_wave(all, rows, BLOCK_ROWS, [&](const RowSource& source) {
        hydra_status status = prepare_rows(stream, source, arguments->workspace, {weight.type});
        if (status != HYDRA_OK) return status;
        const Work work{source,         arguments->workspace, weight,    arguments->bias, arguments->ids,
                        arguments->top, arguments->logits,    selection, blocks,          values,
                        indices};
        status = with_type(weight.type, [&](auto tag) {
            constexpr hydra_type type = decltype(tag)::type;
            const auto grid = static_cast<unsigned>(blocks);
            return many ? launch(stream, "lm_head_kernel", lm_head_kernel<type, ManyOutputs>, grid, PRODUCT_THREADS,
                                 sizeof(LmHeadShared<ManyOutputs>), work)
                        : launch(stream, "lm_head_kernel", lm_head_kernel<type, FewOutputs>, grid, PRODUCT_THREADS,
                                 sizeof(LmHeadShared<FewOutputs>), work);
        });
        if (status != HYDRA_OK || !keeps) return status;
        return launch(stream, "merge_top_kernel", merge_top_kernel, static_cast<unsigned>(source.wave_rows),
                      MERGE_WARPS * WARP, sizeof(MergeShared), work);
    });
}

}  // namespace

hydra_status lm_head(Stream* stream, const LmHead* arguments) { return launch_lm_head(stream, arguments, nullptr); }

hydra_status lm_head_and_select(Stream* stream, const LmHead* arguments, const Select* select) {
    return launch_lm_head(stream, arguments, select->selection);
}

}  // namespace hydra::cuda
