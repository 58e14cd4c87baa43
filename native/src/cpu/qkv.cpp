// RMSNorm + query, key and value products + RoPE + storing keys and values.
#include "cpu/product.h"
#include "hydra4j/program.h"

namespace hydra {

namespace {

struct Qkv : Operation {
    const hydra_rows* rows;
    RowSource source;
    const hydra_matrix* weights[3];  // query, key, value
    const float* biases[3];
    const hydra_rope* rope;
    hydra_kv_pool* pool;
    int32_t layer;
    float* out;
    const Kernels* kernels;

    void check() const override { rows->require_pages(*pool); }

    void run(const Worker& worker) override {
        const int count = rows->active();
        if (count == 0) return;
        bool need[2] = {};
        int64_t tiles = 0;
        for (const hydra_matrix* weight : weights) {
            need[is_quantised(weight->packed.type)] = true;
            tiles += weight->packed.tiles;
        }
        Activations x{};
        for (bool quantised : {false, true}) {
            if (need[quantised]) x = prepare_rows(worker, source, 0, count, quantised);
        }
        prefetch_slots(worker, count);
        // The matrices' tiles are shared out as one list, KV head by KV head where tiles do not cross heads: then the
        // thread that stores a head's keys and values is, as a rule, the one whose attention reads them.
        const int groups = pool->head_size % TILE_ROWS == 0 ? pool->kv_heads : 1;
        const int64_t begin = worker.begin(tiles), end = worker.end(tiles);
        int64_t first = 0;
        for (int group = 0; group < groups; ++group) {
            for (int part = 0; part < 3; ++part) {
                const PackedMatrix& matrix = weights[part]->packed;
                const int64_t own = matrix.tiles / groups, shift = group * own - first;
                const int64_t from = std::clamp<int64_t>(begin, first, first + own);
                const int64_t to = std::clamp<int64_t>(end, first, first + own);
                for_tiles(worker, matrix, x, count, from + shift, to + shift, worker.own().product.get(),
                          [&](int64_t tile, float* values) { finish(part, tile, values, count); });
                first += own;
            }
        }
    }

    // Asks for the memory that the thread's part of the keys and values goes to.
    void prefetch_slots(const Worker& worker, int count) const {
        for (int slot = rows->first; slot < rows->first + count; slot = (slot / KEY_BLOCK + 1) * KEY_BLOCK) {
            const int32_t page = rows->sequence->pages[slot / HYDRA_PAGE_POSITIONS];
            const int place = slot % HYDRA_PAGE_POSITIONS;
            for (int64_t head = worker.begin(pool->kv_heads); head < worker.end(pool->kv_heads); ++head) {
                const float* keys = pool->keys(page, layer, static_cast<int32_t>(head), place);
                for (int d = 0; d < pool->head_size; ++d) __builtin_prefetch(keys + d * KEY_BLOCK, 1);
            }
        }
    }

    void finish(int part, int64_t tile, float* values, int count) const {
        const int64_t n = tile * TILE_ROWS;
        const int lanes = lanes_of(weights[part]->packed, tile);
        for (int r = 0; r < count; ++r) {
            float* value = values + r * TILE_ROWS;
            if (biases[part] != nullptr) {
                for (int l = 0; l < lanes; ++l) value[l] += biases[part][n + l];
            }
            if (part < 2) rotate(value, static_cast<int>(n % pool->head_size), rope->row(rows->positions[r]));
            if (part == 0) {
                float* target = out + r * weights[0]->packed.rows + n;
                for (int l = 0; l < lanes; ++l) target[l] = value[l];
            } else {
                keep(part, r, n, value, lanes);
            }
        }
    }

    // Turns the pairs of neighbouring lanes; `column` is the first lane's place in its head.
    void rotate(float* value, int column, const float* angles) const {
        float own[TILE_ROWS];
        if (column + TILE_ROWS > pool->head_size) {
            for (int l = 0; l < TILE_ROWS; ++l) own[l] = angles[(column + l) % pool->head_size];
            angles = own - column;
        }
        kernels->rotate(value, angles + column);
    }

    void keep(int part, int row, int64_t n, const float* value, int lanes) const {
        const int slot = rows->first + row;
        const int32_t page = rows->sequence->pages[slot / HYDRA_PAGE_POSITIONS];
        const int place = slot % HYDRA_PAGE_POSITIONS;
        int head = static_cast<int>(n / pool->head_size), column = static_cast<int>(n % pool->head_size);
        for (int l = 0; l < lanes;) {
            const int run = std::min(lanes - l, pool->head_size - column);
            if (part == 1) {
                float* keys = pool->keys(page, layer, head, place) + column * KEY_BLOCK + place % KEY_BLOCK;
                for (int i = 0; i < run; ++i) keys[i * KEY_BLOCK] = value[l + i];
            } else {
                float* target = pool->values(page, layer, head, place) + column;
                for (int i = 0; i < run; ++i) target[i] = value[l + i];
            }
            l += run;
            column = 0;
            ++head;
        }
    }
};

}  // namespace

}  // namespace hydra

hydra_status hydra_program_qkv(hydra_program* program, const hydra_rows* rows, const hydra_buffer* x,
                               const hydra_buffer* norm, float epsilon, const hydra_matrix* query,
                               const hydra_matrix* key, const hydra_matrix* value, const hydra_buffer* query_bias,
                               const hydra_buffer* key_bias, const hydra_buffer* value_bias, const hydra_rope* rope,
                               hydra_kv_pool* pool, int32_t layer, hydra_buffer* out) {
    return hydra::guarded("hydra_program_qkv", [&] {
        HYDRA_REQUIRE(program && rows && query && key && rope && pool, "an argument is null");
        const int64_t hidden = query->packed.columns, kv = int64_t{pool->kv_heads} * pool->head_size;
        HYDRA_REQUIRE(query->packed.rows % kv == 0, "query has %lld rows, must be a multiple of %lld key rows",
                      static_cast<long long>(query->packed.rows), static_cast<long long>(kv));
        hydra::require_shape(key, kv, hidden, "key");
        hydra::require_shape(value, kv, hidden, "value");
        hydra::require_floats(x, HYDRA_MAX_ROWS, hidden, "x");
        hydra::require_floats(norm, 1, hidden, "norm");
        hydra::require_floats(out, HYDRA_MAX_ROWS, query->packed.rows, "out");
        HYDRA_REQUIRE(x != out, "out must not be x");
        if (query_bias) hydra::require_floats(query_bias, 1, query->packed.rows, "query_bias");
        if (key_bias) hydra::require_floats(key_bias, 1, kv, "key_bias");
        if (value_bias) hydra::require_floats(value_bias, 1, kv, "value_bias");
        HYDRA_REQUIRE(rope->head_size == pool->head_size, "the rope has head size %d, the pool %d", rope->head_size,
                      pool->head_size);
        HYDRA_REQUIRE(layer >= 0 && layer < pool->layers, "layer is %d, must be from 0 to %d", layer, pool->layers - 1);
        HYDRA_REQUIRE(epsilon > 0, "epsilon is %g, must be positive", static_cast<double>(epsilon));
        program->record<hydra::Qkv>(hidden, 0);
        auto& op = static_cast<hydra::Qkv&>(*program->operations.back());
        op.rows = rows;
        op.source = {x->floats(), hidden, norm->floats(), epsilon};
        const hydra_matrix* weights[3] = {query, key, value};
        const hydra_buffer* biases[3] = {query_bias, key_bias, value_bias};
        for (int i = 0; i < 3; ++i) {
            op.weights[i] = weights[i];
            op.biases[i] = biases[i] ? biases[i]->floats() : nullptr;
        }
        rows->position_limit = std::min(rows->position_limit, rope->positions);
        op.rope = rope;
        op.pool = pool;
        op.layer = layer;
        op.out = out->floats();
        op.kernels = program->backend->kernels;
    });
}
