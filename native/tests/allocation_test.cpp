// A model, a session and their programs through the C ABI alone, with each of the library's allocations failing once.
#include "hydra4j/allocation.h"

#include "sampling.h"

namespace hydra::test {
namespace {

struct Refused : std::runtime_error {
    explicit Refused(hydra_status its_status) : std::runtime_error(hydra_error_message()), status(its_status) {}
    hydra_status status;
};

void check(hydra_status status) {
    if (status != HYDRA_OK) throw Refused(status);
}

// One layer, one draft head, one sequence.
struct Decoder {
    static constexpr int HIDDEN = 32, INNER = 48, VOCABULARY = 40, HEAD = 16, ROWS = 8, PAGES_OF_ALL = 2;

    Backend backend;
    Matrix embedding, query, key, value, output, gate, up, down, linear;
    Buffer norm, x, queries, keys, values, attended, gated, hidden, states, inputs, drafted, selection, logits,
        draft_logits;
    Rope rope;
    Pool pool;
    Batch batch;
    Rows rows, level;
    Tree tree;
    Sampling sampler;
    Top best, guesses;
    Program prefill, step;

    Matrix weight(int64_t count, int64_t columns, int seed) {
        hydra_matrix* out = nullptr;
        check(hydra_matrix_create(backend, HYDRA_Q8_0, count, columns, &out));
        Matrix owned(out);
        Random random(seed);
        const Floats values = random.normal(static_cast<int>(count * columns));
        check(hydra_matrix_write(out, 0, count, nullptr, HYDRA_F32, values.data(), count * columns * 4));
        return owned;
    }

    Buffer memory(int64_t columns, int rows = ROWS) {
        hydra_buffer* out = nullptr;
        check(hydra_buffer_create(backend, rows * columns * 4, &out));
        return Buffer(out);
    }

    Program program() {
        hydra_program* out = nullptr;
        check(hydra_program_create(backend, nullptr, &out));
        return Program(out);
    }

    Rows rows_of_batch() {
        hydra_rows* out = nullptr;
        check(hydra_rows_create(batch, ROWS, &out));
        return Rows(out);
    }

    Top top(int k) {
        hydra_top* out = nullptr;
        check(hydra_top_create(backend, k, ROWS, &out));
        return Top(out);
    }

    void open() {
        hydra_backend* opened = nullptr;
        check(cuda_library() != nullptr ? hydra_backend_open_cuda(cuda_library(), 0, &opened)
                                        : hydra_backend_open_cpu(2, "auto", &opened));
        backend = Backend(opened);
    }

    void load() {
        embedding = weight(VOCABULARY, HIDDEN, 1);
        query = weight(2 * HEAD, HIDDEN, 2);
        key = weight(HEAD, HIDDEN, 3);
        value = weight(HEAD, HIDDEN, 4);
        output = weight(HIDDEN, 2 * HEAD, 5);
        gate = weight(INNER, HIDDEN, 6);
        up = weight(INNER, HIDDEN, 7);
        down = weight(HIDDEN, INNER, 8);
        linear = weight(HIDDEN, 2 * HIDDEN, 9);
        norm = memory(HIDDEN, 1);
        const Floats ones(HIDDEN, 1.0f);
        check(hydra_buffer_write(norm, 0, ones.data(), HIDDEN * 4));
        hydra_rope* angles = nullptr;
        check(hydra_rope_create(backend, HEAD, rope_frequencies(HEAD).data(), 1, PAGES_OF_ALL * HYDRA_PAGE_POSITIONS,
                                &angles));
        rope = Rope(angles);
        hydra_kv_pool* keys_and_values = nullptr;
        check(hydra_kv_pool_create(backend, HYDRA_F32, 1, 1, HEAD, PAGES_OF_ALL, &keys_and_values));
        pool = Pool(keys_and_values);
    }

    void begin() {
        hydra_batch* created = nullptr;
        check(hydra_batch_create(backend, 1, PAGES_OF_ALL, &created));
        batch = Batch(created);
        const int32_t pages[PAGES_OF_ALL] = {1, 0};
        check(hydra_batch_set_pages(batch, 0, pages, PAGES_OF_ALL));
        rows = rows_of_batch();
        level = rows_of_batch();
        hydra_tree* shape = nullptr;
        check(hydra_tree_create(batch, &shape));
        tree = Tree(shape);
        const int32_t parents[] = {-1, 0, 0}, ranks[] = {0, 0, 1};
        check(hydra_tree_set(tree, 0, parents, ranks, 3));
        best = top(1);
        guesses = top(2);
        logits = memory(VOCABULARY);
        draft_logits = memory(VOCABULARY);
        hydra_sampling* created_sampling = nullptr;
        check(hydra_sampling_create(batch, VOCABULARY, 1, &created_sampling));
        sampler = Sampling(created_sampling);
        check(Options{.temperature = 0.5f, .presence = 0.5f, .seed = 1, .bias = {{2, 1.0f}}}.set(sampler));
        x = memory(HIDDEN);
        queries = memory(2 * HEAD);
        keys = memory(HEAD);
        values = memory(HEAD);
        attended = memory(2 * HEAD);
        gated = memory(INNER);
        hidden = memory(HIDDEN);
        states = memory(HIDDEN, 1);
        selection = memory(1);
        inputs = memory(2 * HIDDEN);
        drafted = memory(HIDDEN);
        prefill = program();
        record_pass(prefill, true);
        check(record(prefill, hydra_draft_states{rows, hidden, nullptr, 0, HIDDEN, states}));
        check(record(prefill, hydra_prepare_selection{rows, sampler}));
        check(record(prefill, hydra_select{rows, best, logits, VOCABULARY, sampler, selection, nullptr}));
        check(
            record(prefill, hydra_commit{nullptr, rows, selection, nullptr, nullptr, 0, nullptr, nullptr, 0, sampler}));
        step = program();
        check(record(step, hydra_expand{tree, nullptr, rows}));
        check(record(step, hydra_prepare_selection{rows, sampler}));
        check(record(step, hydra_draft_inputs{tree, 0, rows, states, HIDDEN, embedding, level, inputs}));
        check(record(step, hydra_linear{level, inputs, linear, nullptr, nullptr, drafted}));
        check(record(step, hydra_lm_head{level, 0, drafted, embedding, nullptr, nullptr, nullptr, draft_logits, 0, 0}));
        check(record(step, hydra_rank{level, draft_logits, VOCABULARY, nullptr, sampler, guesses}));
        check(record(step, hydra_draft_tokens{tree, 0, guesses, -1, rows}));
        record_pass(step, true);
        check(record(step, hydra_draft_states{rows, hidden, nullptr, 0, HIDDEN, states}));
        check(hydra_program_mark(step));
        check(record(step, hydra_select{rows, best, logits, VOCABULARY, sampler, selection, nullptr}));
        check(record(step, hydra_judge{tree, rows, selection}));
        check(record(step, hydra_commit{tree, rows, selection, pool, nullptr, 0, nullptr, nullptr, 0, sampler}));
    }

    void record_pass(hydra_program* program, int selected_rows_only) {
        check(record(program, hydra_embed{rows, embedding, x, 0}));
        check(record(program, hydra_qkv{rows, x, norm, 1e-5f, query, key, value, nullptr, nullptr, nullptr, queries,
                                        keys, values}));
        check(record(program, hydra_append_kv{rows, queries, keys, values, 2, nullptr, nullptr, 0, rope, pool, 0}));
        check(record(program, hydra_attention{rows, queries, 2, pool, 0, attended, 0, 0, 0}));
        check(record(program, hydra_linear{rows, attended, output, nullptr, x, x}));
        check(record(program, hydra_gate_up{rows, x, norm, 1e-5f, gate, up, HYDRA_SILU, gated}));
        check(record(program, hydra_linear{rows, gated, down, nullptr, x, x}));
        check(record(program, hydra_norm{rows, x, norm, 1e-5f, HIDDEN, hidden, nullptr}));
        check(record(program,
                     hydra_lm_head{rows, selected_rows_only, hidden, embedding, nullptr, nullptr, best, logits, 0, 0}));
    }

    // Tokens after a prompt.
    std::vector<int32_t> decode() {
        const int32_t sequence = 0, tokens[] = {3, 1, 4, 1, 5}, count = 5;
        check(hydra_rows_set_chains(rows, &sequence, &count, 1, tokens, nullptr));
        check(hydra_program_run(prefill));
        std::vector<int32_t> out;
        for (int i = 0; i < 3; ++i) {
            check(hydra_program_run(step));
            const hydra_step_result* result = hydra_batch_result(batch, 0);
            out.insert(out.end(), result->tokens, result->tokens + result->emitted);
        }
        return out;
    }

    static std::vector<int32_t> all() {
        Decoder decoder;
        decoder.open();
        decoder.load();
        decoder.begin();
        return decoder.decode();
    }
};

TEST(Allocation, FailsWithOutOfMemoryWhicheverItIsAndLeaksNothing) {
    const std::vector<int32_t> expected = Decoder::all();
    ASSERT_GE(expected.size(), 3u);
    const int64_t live = hydra_live_allocations();
    int64_t k = 1;
    for (bool failed = true; failed; ++k) {
        SCOPED_TRACE("allocation " + std::to_string(k));
        hydra_fail_allocation(k);
        hydra_status status = HYDRA_OK;
        try {
            EXPECT_EQ(Decoder::all(), expected);
        } catch (const Refused& refused) {
            status = refused.status;
            EXPECT_NE(std::string(hydra_error_message()).find("out of memory"), std::string::npos);
        }
        failed = hydra_fail_allocation(0) == 0;
        ASSERT_EQ(status, failed ? HYDRA_OUT_OF_MEMORY : HYDRA_OK);
        ASSERT_EQ(hydra_live_allocations(), live);
    }
    EXPECT_GT(k, 100) << "the library's own are counted";
    EXPECT_EQ(Decoder::all(), expected);
}

// What was recorded before goes on with the memory that the recording could not replace.
TEST(Allocation, LeavesProgramsOfBeforeAsTheyWere) {
    Decoder decoder;
    decoder.open();
    decoder.load();
    decoder.begin();
    const std::vector<int32_t> expected = decoder.decode();
    const Matrix wide = decoder.weight(Decoder::HIDDEN, 4096, 1);
    const Buffer x = decoder.memory(4096), out = decoder.memory(Decoder::HIDDEN);
    for (int64_t k = 1;; ++k) {
        const Program more = decoder.program();
        hydra_fail_allocation(k);
        const hydra_status status = record(more, hydra_linear{decoder.rows, x, wide, nullptr, nullptr, out});
        const bool failed = hydra_fail_allocation(0) == 0;
        ASSERT_EQ(status, failed ? HYDRA_OUT_OF_MEMORY : HYDRA_OK);
        check(hydra_batch_rewind(decoder.batch, 0, 0, -1));
        EXPECT_EQ(decoder.decode(), expected) << "allocation " << k;
        if (!failed) break;
    }
}

TEST(Allocation, CountsWhatTheCudaLibraryMakes) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "for the CUDA library";
    Decoder decoder;
    decoder.open();
    const int64_t before = hydra_live_allocations();
    hydra_stream* created = nullptr;
    check(hydra_stream_create(decoder.backend, &created));
    EXPECT_EQ(hydra_live_allocations(), before + 3) << "the handle, the library's object and CUDA's";
    hydra_stream_destroy(created);
    EXPECT_EQ(hydra_live_allocations(), before);
    for (int64_t k = 1; k <= 3; ++k) {
        hydra_fail_allocation(k);
        EXPECT_EQ(hydra_stream_create(decoder.backend, &created), HYDRA_OUT_OF_MEMORY) << k;
        EXPECT_EQ(hydra_live_allocations(), before) << k;
    }
}

TEST(Allocation, CountdownTellsWhatIsLeft) {
    EXPECT_EQ(hydra_fail_allocation(1000000), 0);
    Decoder decoder;
    decoder.open();
    const int64_t left = hydra_fail_allocation(-5);
    EXPECT_LT(left, 1000000);
    EXPECT_GT(left, 999000);
    EXPECT_EQ(hydra_fail_allocation(0), 0) << "negative is off";
}

}  // namespace
}  // namespace hydra::test
