// RMSNorm + query, key and value products; with RoPE and storing keys and values where that follows.
#include "cuda/product.cuh"
#include "cuda/qkv.cuh"

namespace hydra::cuda {

namespace {

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
