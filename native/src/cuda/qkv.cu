// RMSNorm + query, key and value products + RoPE + storing keys and values.
#include "cuda/kv.cuh"
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

constexpr int QUERY = 0, KEY = 1, VALUE = 2;

struct StoreQkv {
    RowsView rows;
    const float *query_bias, *key_bias, *value_bias;  // or null
    const float* rope;
    KvView kv;
    int32_t layer;
    int64_t query_columns;
    float* out;

    // n is even, and so are the rows of all three matrices: a pair never stands alone.
    __device__ void operator()(int part, int r, int64_t n, const float (&values)[1][2]) const {
        if (n >= (part == QUERY ? query_columns : int64_t{kv.kv_heads} * kv.head_size)) return;
        float a = values[0][0], b = values[0][1];
        const float* bias = part == QUERY ? query_bias : part == KEY ? key_bias : value_bias;
        if (bias != nullptr) {
            a += bias[n];
            b += bias[n + 1];
        }
        const int column = static_cast<int>(n % kv.head_size);
        if (part != VALUE) {
            const float* angles = rope + int64_t{rows.positions[r]} * kv.head_size + column;
            const float cosine = angles[0], sine = angles[1], turned = a * cosine - b * sine;
            b = b * cosine + a * sine;
            a = turned;
        }
        if (part == QUERY) {
            *reinterpret_cast<float2*>(out + r * query_columns + n) = {a, b};
            return;
        }
        const int32_t* pages = rows.pages_of(rows.segment_of_row(r).sequence);
        uint8_t* row =
            kv_row(kv, pages, layer, static_cast<int32_t>(n / kv.head_size), part == KEY ? 0 : 1, rows.slot_of(r));
        if (kv.type == HYDRA_F16) {
            reinterpret_cast<uint32_t*>(row)[column / 2] = uint32_t{kv_half(b)} << 16 | kv_half(a);
        } else {
            reinterpret_cast<float2*>(row)[column / 2] = {a, b};
        }
    }
};

}  // namespace

hydra_status qkv(Stream* stream, const Qkv* arguments) {
    const MatrixView* weights[3] = {&arguments->query, &arguments->key, &arguments->value};
    const RowSource all{arguments->rows, Taken::PLACED,      arguments->x,
                        arguments->norm, arguments->epsilon, arguments->query.columns};
    const StoreQkv store{arguments->rows,       arguments->query_bias, arguments->key_bias,
                         arguments->value_bias, arguments->rope,       arguments->pool,
                         arguments->layer,      arguments->query.rows, arguments->out};
    return each_wave(all, arguments->rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        hydra_status status =
            prepare_rows(stream, source, arguments->workspace, {weights[0]->type, weights[1]->type, weights[2]->type});
        // Matrices of one type share a launch.
        bool done[3] = {};
        for (int first = 0; first < 3 && status == HYDRA_OK; ++first) {
            if (done[first]) continue;
            Products<1> work{source, arguments->workspace, 0, {}, {}};
            for (int part = first; part < 3; ++part) {
                if (weights[part]->type != weights[first]->type) continue;
                work.ids[work.count] = part;
                work.matrices[work.count++][0] = *weights[part];
                done[part] = true;
            }
            status = launch_products(stream, "qkv_kernel", work, store);
        }
        return status;
    });
}

}  // namespace hydra::cuda
