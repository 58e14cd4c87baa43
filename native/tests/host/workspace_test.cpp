// What the CPU's backend says that it sets aside, beside what it has taken.
#include <malloc.h>

#include "cpu/attention.h"
#include "cpu/backend.h"
#include "fixture.h"

namespace hydra::test {
namespace {

// Bytes of what the scratch memory holds, and how many pieces these are.
struct Taken {
    int64_t bytes = 0, pieces = 0;

    template <class T>
    void add(const Aligned<T>& piece) {
        if (piece.get() == nullptr) return;
        bytes += static_cast<int64_t>(malloc_usable_size(piece.get_deleter().all));
        ++pieces;
    }
    void add(const Scratch::Rows& rows) {
        add(rows.values);
        add(rows.quantised);
        add(rows.planes);
        add(rows.tiles);
        add(rows.signed_blocks);
        add(rows.signed_planes);
    }
    Taken(const Scratch& scratch, int threads) {
        add(scratch.rows);
        for (int i = 0; i < threads; ++i) {
            const Scratch::PerThread& own = scratch.threads[i];
            add(own.rows);
            add(own.normed);
            add(own.product);
            add(own.scores);
            add(own.keys);
            add(own.values);
        }
    }
};

TEST(Workspace, OfTheCpuIsWhatProgramsOfTheseSizesTake) {
    for (const int threads : {1, 3}) {
        hydra_backend* out = nullptr;
        must(hydra_backend_open_cpu(threads, "auto", &out));
        const Backend backend(out);
        Pass pass(backend);
        const Matrix weight = matrix(backend, HYDRA_F32, 16, 1000, Floats(16 * 1000));
        const Buffer x = poisoned(backend, 1000), result = poisoned(backend, 48), query = poisoned(backend, 48);
        const Pool kv = pool(backend, 1, 2, 24, PAGES);
        must(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, result}));
        must(record(pass.program, hydra_attention{pass.rows, query, 2, kv, 0, result, 0, 0, 0}));
        const hydra_limits limits{ROWS, 16, 1000, 2, 24, PAGES * HYDRA_PAGE_POSITIONS};
        hydra_workspace said{};
        must(hydra_backend_workspace(backend, &limits, &said));
        const Taken taken(static_cast<CpuBackend*>(out)->scratch, threads);
        EXPECT_LE(said.bytes, taken.bytes);
        EXPECT_GE(said.bytes, taken.bytes - (4096 + 192) * taken.pieces) << "but for what aligns them, and whole pages";
        EXPECT_EQ(said.bytes, said.products + said.attention);
    }
}

TEST(Workspace, IsRefusedForLimitsOutOfRange) {
    hydra_backend* out = nullptr;
    must(hydra_backend_open_cpu(1, "auto", &out));
    const Backend backend(out);
    hydra_workspace said{};
    const hydra_limits none{0, 1, 1, 1, 8, 1}, wide{1, 1, int64_t{1} << 40, 1, 8, 1}, sound{1, 1, 1, 1, 8, 1};
    expect_refused(hydra_backend_workspace(backend, &none, &said), "rows is 0, must be from 1 to 2048");
    expect_refused(hydra_backend_workspace(backend, &wide, &said), "matrix_columns is 1099511627776, must be from 1");
    expect_refused(hydra_backend_workspace(nullptr, &sound, &said), "an argument is null");
    expect_refused(hydra_backend_workspace(backend, nullptr, &said), "an argument is null");
    expect_refused(hydra_backend_workspace(backend, &sound, nullptr), "an argument is null");
}

}  // namespace
}  // namespace hydra::test
