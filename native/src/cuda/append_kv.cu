// Between the products of queries, keys and values and their attention: norm of heads + RoPE + storing keys and values.
#include "cuda/append_kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

// Grid: rows, WARPS heads each: a warp takes a head, a lane pairs of its columns.
__global__ void __launch_bounds__(THREADS) append_kv_kernel(AppendKv work) {
    begin_in_turn();
    const KvView& kv = work.pool;
    const int row = static_cast<int>(blockIdx.x), head_size = kv.head_size;
    int head = static_cast<int>(blockIdx.y * WARPS + threadIdx.x / WARP);
    if (row >= work.rows.placed() || head >= work.heads + 2 * kv.kv_heads) return;
    const AppendPlaces places{work.rows, work.rope, kv, work.layer};
    float* target = nullptr;  // of a query
    const float *x, *norm = nullptr;
    uint8_t* slot = nullptr;  // of a key or a value
    bool turned = true;
    if (head < work.heads) {
        x = target = work.query + (int64_t{row} * work.heads + head) * head_size;
        norm = work.query_norm;
    } else {
        head -= work.heads;
        turned = head < kv.kv_heads;
        if (turned) norm = work.key_norm;
        if (!turned) head -= kv.kv_heads;
        x = (turned ? work.key : work.value) + (int64_t{row} * kv.kv_heads + head) * head_size;
        slot = places.row_of(row, head, turned ? 0 : 1);
    }
    float scale = 1;
    if (norm != nullptr) {
        float squares = 0;
        // Of the pairs that the lane will change, and of no others.
        for (int c = 2 * lane_index(); c < head_size; c += 2 * WARP) {
            const float2 pair = *reinterpret_cast<const float2*>(x + c);
            squares += pair.x * pair.x + pair.y * pair.y;
        }
        scale = 1 / sqrtf(warp_sum(squares) / static_cast<float>(head_size) + work.epsilon);
    }
    for (int c = 2 * lane_index(); c < head_size; c += 2 * WARP) {
        float2 pair = *reinterpret_cast<const float2*>(x + c);
        if (norm != nullptr) pair = {pair.x * scale * norm[c], pair.y * scale * norm[c + 1]};
        if (turned) pair = places.turn(row, c, pair);
        if (slot != nullptr) {
            places.store(slot, c, pair);
        } else {
            *reinterpret_cast<float2*>(target + c) = pair;
        }
    }
}

}  // namespace

hydra_status append_kv(Stream* stream, const AppendKv* arguments) {
    const int heads = arguments->heads + 2 * arguments->pool.kv_heads;
    const dim3 grid(static_cast<unsigned>(arguments->rows.max_rows),
                    static_cast<unsigned>((heads + WARPS - 1) / WARPS));
    return launch(stream, "append_kv_kernel", append_kv_kernel, grid, THREADS, 0, *arguments);
}

}  // namespace hydra::cuda
