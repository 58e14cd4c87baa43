// RMSNorm + query, key and value products; with RoPE and storing keys and values where that follows.
#include "cuda/append_kv.cuh"
#include "cuda/product.cuh"

namespace hydra::cuda {

namespace {

constexpr int QUERY = 0, KEY = 1, VALUE = 2;

// What a product leaves: one of three matrices with its bias.
struct Projection {
    const float* bias;  // or null
    int64_t columns;    // of out
    float* out;

    __device__ __forceinline__ float biased(int64_t n, float value) const {
        return bias != nullptr ? value + bias[n] : value;
    }
};

struct StoreQkv {
    Projection projections[3];
    bool appends;         // or leaves all three as they are
    AppendPlaces places;  // of heads that are appended: columns are whole heads then, and a pair never stands alone

    __device__ void operator()(int part, int r, int64_t n, const float (&values)[1][2]) const {
        const Projection& to = projections[part];
        if (!appends) {
            for (int i = 0; i < 2 && n + i < to.columns; ++i) {
                to.out[r * to.columns + n + i] = to.biased(n + i, values[0][i]);
            }
            return;
        }
        if (n >= to.columns) return;
        float2 pair{to.biased(n, values[0][0]), to.biased(n + 1, values[0][1])};
        const int column = static_cast<int>(n % places.kv.head_size);
        if (part != VALUE) pair = places.turn(r, column, pair);
        if (part == QUERY) {
            *reinterpret_cast<float2*>(to.out + r * to.columns + n) = pair;
        } else {
            places.store(places.row_of(r, static_cast<int32_t>(n / places.kv.head_size), part == KEY ? 0 : 1), column,
                         pair);
        }
    }
};

hydra_status launch_qkv(Stream* stream, const Qkv& work, const StoreQkv& store) {
    const MatrixView* weights[3] = {&work.query, &work.key, &work.value};
    const RowSource all{work.rows, Taken::PLACED, work.x, work.norm, work.epsilon, work.query.columns};
    return each_wave(all, work.rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        Preparation x;
        hydra_status status = prepare_rows(stream, source, work.workspace, work.given,
                                           {weights[0]->type, weights[1]->type, weights[2]->type}, &x);
        // Matrices of one type share a launch.
        bool done[3] = {};
        for (int first = 0; first < 3 && status == HYDRA_OK; ++first) {
            if (done[first]) continue;
            Products<1> products{source, x, split_area_of(work.workspace, source), 0, {}, {}};
            for (int part = first; part < 3; ++part) {
                if (weights[part]->type != weights[first]->type) continue;
                products.ids[products.count] = part;
                products.matrices[products.count++][0] = *weights[part];
                done[part] = true;
            }
            status = launch_products(stream, "qkv_kernel", products, store);
        }
        return status;
    });
}

}  // namespace

hydra_status qkv(Stream* stream, const Qkv* arguments) {
    const Qkv& o = *arguments;
    return launch_qkv(stream, o,
                      {{{o.query_bias, o.query.rows, o.query_out},
                        {o.key_bias, o.key.rows, o.key_out},
                        {o.value_bias, o.value.rows, o.value_out}},
                       false,
                       {}});
}

hydra_status qkv_and_append(Stream* stream, const Qkv* arguments, const AppendKv* append) {
    const Qkv& o = *arguments;
    return launch_qkv(stream, o,
                      {{{o.query_bias, o.query.rows, append->query},
                        {o.key_bias, o.key.rows, nullptr},
                        {o.value_bias, o.value.rows, nullptr}},
                       true,
                       {append->rows, append->rope, append->pool, append->layer}});
}

}  // namespace hydra::cuda
