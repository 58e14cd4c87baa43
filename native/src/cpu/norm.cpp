// Embedding rows, and RMSNorm on its own.
#include "cpu/embedding.h"
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct Embed : Operation {
    const hydra_rows* rows;
    const hydra_matrix* embedding;
    float* out;

    void check() const override {
        for (int r = 0; rows->given && r < rows->active(); ++r) {
            HYDRA_REQUIRE(rows->tokens[r] >= 0 && rows->tokens[r] < embedding->packed.rows,
                          "token %d of row %d is outside the vocabulary of %lld", rows->tokens[r], r,
                          static_cast<long long>(embedding->packed.rows));
        }
    }

    void run(const Worker& worker) override {
        const int count = rows->active();
        const int64_t columns = embedding->packed.columns;
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            read_token(*embedding, rows->tokens[r], out + r * columns);
        }
    }
};

struct Norm : Operation {
    const hydra_rows* rows;
    RowSource source;
    float* out;

    void run(const Worker& worker) override {
        const int count = rows->active();
        for (int64_t r = worker.begin(count); r < worker.end(count); ++r) {
            worker.kernels().rms_norm(source.x + r * source.columns, source.norm, source.columns, source.epsilon,
                                      out + r * source.columns);
        }
    }
};

}  // namespace

}  // namespace hydra

hydra_status hydra_program_embed(hydra_program* program, const hydra_rows* rows, const hydra_matrix* embedding,
                                 hydra_buffer* out) {
    return hydra::guarded("hydra_program_embed", [&] {
        HYDRA_REQUIRE(program && rows && embedding, "an argument is null");
        hydra::require_floats(out, HYDRA_MAX_ROWS, embedding->packed.columns, "out");
        program->record<hydra::Embed>(0, 0);
        auto& op = static_cast<hydra::Embed&>(*program->operations.back());
        rows->token_limit = std::min(rows->token_limit, embedding->packed.rows);
        op.rows = rows;
        op.embedding = embedding;
        op.out = out->floats();
    });
}

hydra_status hydra_program_norm(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                                const hydra_buffer* norm, float epsilon, hydra_buffer* out) {
    return hydra::guarded("hydra_program_norm", [&] {
        HYDRA_REQUIRE(program && rows && norm, "an argument is null");
        const int64_t columns = norm->bytes / 4;
        hydra::require_floats(x, HYDRA_MAX_ROWS, columns, "x");
        hydra::require_floats(out, HYDRA_MAX_ROWS, columns, "out");
        HYDRA_REQUIRE(epsilon > 0, "epsilon is %g, must be positive", static_cast<double>(epsilon));
        program->record<hydra::Norm>(columns, 0);
        auto& op = static_cast<hydra::Norm&>(*program->operations.back());
        op.rows = rows;
        op.source = {x->floats(), columns, norm->floats(), epsilon};
        op.out = out->floats();
    });
}
