// out = weight x + bias + residual.
#include "cuda/linear.cuh"

namespace hydra::cuda {

hydra_status launch_linear(Stream* stream, const char* name, const Products<1>& work, const StoreLinear& store,
                           Handover* left) {
    return launch_products(stream, name, work, store, left);
}

hydra_status linear(Stream* stream, const Linear* arguments) {
    const MatrixView& weight = arguments->weight;
    const RowSource all{arguments->rows, Taken::ALL, arguments->x, nullptr, 0, weight.columns};
    return each_wave(all, arguments->rows.max_rows, WAVE_ROWS, [&](const RowSource& source) {
        Products<1> work{source, {}, split_area_of(arguments->workspace, source), 1, {}, {{weight}}};
        const hydra_status status =
            prepare_rows(stream, source, arguments->workspace, arguments->given, {weight.type}, &work.x);
        if (status != HYDRA_OK) return status;
        return launch_linear(stream, "linear_kernel", work,
                             {arguments->bias, arguments->residual, arguments->out, weight.rows}, arguments->left);
    });
}

}  // namespace hydra::cuda
