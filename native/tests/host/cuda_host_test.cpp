// What the host does with a device: when it uploads, captures, launches, waits and fetches, and what becomes of
// failures. The device is a table of a few functions that work on the host's memory, and only when they are waited for.
#include <condition_variable>
#include <fstream>
#include <functional>
#include <thread>

#include "cuda/backend.h"
#include "program/buffer.h"
#include "trees.h"

namespace hydra::cuda {

struct Device {};
struct Stream {
    bool owned = true, capturing = false;
    std::vector<std::function<void()>> captured{}, waiting{};
    size_t noted = 0;  // of those that wait
};
struct Graph {
    std::vector<std::function<void()>> nodes;
};

}  // namespace hydra::cuda

namespace hydra::test {
namespace {

namespace cuda = hydra::cuda;

struct Counts {
    int uploads = 0, captures = 0, launches = 0, waits = 0, fetches = 0, allocations = 0, open = 0;
};

thread_local Counts counts;
thread_local std::string fault;
thread_local int64_t device_clock = 0;
bool attention_fails = false, note_fails = false;
constexpr int64_t TASK_BYTES = 40;
int64_t workspace_bytes = 100, largest_allocation = 0;
std::function<void()> on_wait = [] {};  // called by every wait for a stream

hydra_status refuse(hydra_status status, const char* message) {
    fault = message;
    return status;
}

hydra_status allocate(cuda::Device*, int64_t bytes, void** out) {
    *out = std::calloc(1, static_cast<size_t>(bytes));
    largest_allocation = std::max(largest_allocation, bytes);
    ++counts.allocations;
    return HYDRA_OK;
}

void release(cuda::Device*, void* memory) {
    --counts.allocations;
    std::free(memory);
}

hydra_status copy(void* target, const void* source, int64_t bytes) {
    std::memcpy(target, source, static_cast<size_t>(bytes));
    return HYDRA_OK;
}

hydra_status enqueue(cuda::Stream* stream, std::function<void()> work) {
    (stream->capturing ? stream->captured : stream->waiting).push_back(std::move(work));
    return HYDRA_OK;
}

hydra_status enqueue_copy(cuda::Stream* stream, void* target, const void* source, int64_t bytes) {
    return enqueue(stream, [=] { copy(target, source, bytes); });
}

template <class Arguments>
hydra_status nothing(cuda::Stream* stream, const Arguments*) {
    return enqueue(stream, [] {});
}

hydra_status select(cuda::Stream* stream, const cuda::Select* arguments) {
    return enqueue(stream, [a = *arguments] { *a.selection = a.top.ids[0]; });
}

// What operations were told of handing over when they were captured. All of them leave what they are asked for.
struct Handed {
    const cuda::Handover* given;
    cuda::Handover left;
};
std::vector<Handed> handed;
int32_t linear_rows = 0;  // that a product was captured for

template <class Arguments>
hydra_status handed_over(cuda::Stream* stream, const Arguments* arguments) {
    if (arguments->left != nullptr) arguments->left->is_there = true;
    handed.push_back({arguments->given, arguments->left != nullptr ? *arguments->left : cuda::Handover{}});
    return nothing(stream, arguments);
}

void tell(int64_t* time) {
    if (time != nullptr) *time = device_clock += 10;
}

// All rows become verified, the root is what was selected at the first.
hydra_status commit(cuda::Stream* stream, const cuda::Commit* arguments) {
    return enqueue(stream, [a = *arguments] {
        hydra_step_result& result = a.rows.batch[0].result;
        result.length += a.rows.active();
        result.root = a.selection == nullptr ? -1 : *a.selection;
        a.notes.results[*a.notes.told % TOLD_RUNS * a.rows.batch_size] = result;
        ++*a.notes.told;
        tell(a.notes.begin);
        tell(a.notes.end);
    });
}

hydra_status expand(cuda::Stream* stream, const cuda::Expand* arguments) {
    return enqueue(stream, [a = *arguments] {
        tell(a.notes.begin);
        a.rows.set_count(0);
        a.rows.add(0, a.rows.pages[0], a.tree.data->nodes);
    });
}

// Row 0's best becomes its token + 1.
hydra_status lm_head(cuda::Stream* stream, const cuda::LmHead* arguments) {
    return enqueue(stream, [a = *arguments] { a.top.ids[0] = a.rows.tokens[0] + 1; });
}

hydra_status mark(cuda::Stream* stream, const cuda::Mark* arguments) {
    return enqueue(stream, [a = *arguments] { *a.time = device_clock += 10; });
}

const cuda::DeviceApi& table() {
    static const cuda::DeviceApi api = [] {
        cuda::DeviceApi made{};
        made.version = cuda::DEVICE_API_VERSION;
        made.last_error = [] { return fault.c_str(); };
        made.count_devices = [](int32_t* count) {
            *count = 1;
            return HYDRA_OK;
        };
        made.device_facts = [](int32_t, cuda::DeviceFacts* facts) {
            *facts = {"a device", 9, 0, 132, int64_t{80} << 30, int64_t{60} << 30, 13000, 13000};
            return HYDRA_OK;
        };
        made.open = [](int32_t, cuda::Device** out) {
            *out = new cuda::Device;
            ++counts.open;
            return HYDRA_OK;
        };
        made.close = [](cuda::Device* device) {
            --counts.open;
            delete device;
        };
        made.allocate = allocate;
        made.release = release;
        made.allocate_pinned = allocate;
        made.release_pinned = release;
        made.copy_in = [](cuda::Device*, void* target, const void* source, int64_t bytes) {
            return copy(target, source, bytes);
        };
        made.copy_out = [](cuda::Device*, void* target, const void* source, int64_t bytes) {
            ++counts.fetches;
            return copy(target, source, bytes);
        };
        made.matrix_bytes = [](hydra_type, int64_t rows, int64_t columns) { return rows * columns * 4; };
        made.kv_page_bytes = [](hydra_type, int32_t, int32_t, int32_t) { return int64_t{4096}; };
        made.stream_create = [](cuda::Device*, cuda::Stream** out) {
            *out = new cuda::Stream;
            return HYDRA_OK;
        };
        // A stream of the caller's is one of these.
        made.stream_wrap = [](cuda::Device*, void* native, cuda::Stream** out) {
            *out = static_cast<cuda::Stream*>(native);
            return HYDRA_OK;
        };
        made.stream_destroy = [](cuda::Stream* stream) {
            if (stream->owned) delete stream;
        };
        made.stream_native = [](const cuda::Stream* stream) -> void* { return const_cast<cuda::Stream*>(stream); };
        made.require_not_captured = [](cuda::Stream* stream) {
            return stream->capturing ? refuse(HYDRA_INVALID_ARGUMENT, "the stream is being captured") : HYDRA_OK;
        };
        made.stream_wait = [](cuda::Stream* stream) {
            ++counts.waits;
            on_wait();
            for (const auto& work : stream->waiting) work();
            stream->waiting.clear();
            return HYDRA_OK;
        };
        made.stream_note = [](cuda::Stream* stream) {
            stream->noted = stream->waiting.size();
            return HYDRA_OK;
        };
        made.stream_wait_noted = [](cuda::Stream* stream) {
            for (size_t i = 0; i < stream->noted; ++i) stream->waiting[i]();
            stream->waiting.erase(stream->waiting.begin(), stream->waiting.begin() + static_cast<long>(stream->noted));
            stream->noted = 0;
            return note_fails ? refuse(HYDRA_INTERNAL, "the device has failed") : HYDRA_OK;
        };
        made.enqueue_copy_in = [](cuda::Stream* stream, void* target, const void* source, int64_t bytes) {
            ++counts.uploads;
            return enqueue_copy(stream, target, source, bytes);
        };
        made.capture_begin = [](cuda::Stream* stream) {
            if (stream->capturing) return refuse(HYDRA_INTERNAL, "a capture is open");
            stream->capturing = true;
            return HYDRA_OK;
        };
        made.capture_end = [](cuda::Stream* stream, cuda::Graph** out, int32_t* kernels, int32_t* copies) {
            stream->capturing = false;
            *kernels = static_cast<int32_t>(stream->captured.size());
            *copies = 0;
            *out = new cuda::Graph{std::move(stream->captured)};
            stream->captured.clear();
            ++counts.captures;
            return HYDRA_OK;
        };
        made.graph_launch = [](cuda::Graph* graph, cuda::Stream* stream) {
            ++counts.launches;
            stream->waiting.insert(stream->waiting.end(), graph->nodes.begin(), graph->nodes.end());
            return HYDRA_OK;
        };
        made.graph_destroy = [](cuda::Graph* graph) { delete graph; };
        made.workspace_parts = [](const cuda::Device*, const hydra_limits*) {
            return cuda::WorkspaceParts{workspace_bytes, 0, 0, 0, TASK_BYTES};
        };
        made.handover_bytes = [](int32_t, int64_t) { return int64_t{1000}; };
        made.embed = handed_over<cuda::Embed>;
        made.linear = [](cuda::Stream* stream, const cuda::Linear* arguments) {
            linear_rows = arguments->rows.max_rows;
            return handed_over(stream, arguments);
        };
        made.gate_up = handed_over<cuda::GateUp>;
        made.attention = [](cuda::Stream* stream, const cuda::Attention* arguments) {
            if (attention_fails) return refuse(HYDRA_INTERNAL, "the attention cannot be launched");
            return nothing(stream, arguments);
        };
        made.lm_head = lm_head;
        made.expand = expand;
        made.select = select;
        made.commit = commit;
        made.mark = mark;
        return made;
    }();
    return api;
}

Backend open_fake() {
    counts = {};
    attention_fails = note_fails = false;
    workspace_bytes = 100;
    return Backend(new cuda::CudaBackend(table(), 0));
}

Program program_of(hydra_backend* backend, hydra_stream* stream = nullptr) {
    hydra_program* out = nullptr;
    must(hydra_program_create(backend, stream, &out));
    return Program(out);
}

Matrix zeros(hydra_backend* backend, int64_t rows, int64_t columns) {
    hydra_matrix* out = nullptr;
    must(hydra_matrix_create(backend, HYDRA_F32, rows, columns, &out));
    return Matrix(out);
}

TEST(CudaHost, DescribesItsDevice) {
    const Backend backend = open_fake();
    EXPECT_STREQ(hydra_backend_kind(backend), "cuda");
    EXPECT_STREQ(hydra_backend_description(backend),
                 "a device, compute capability 9.0, 132 multiprocessors, 60.0 of 80.0 GiB free, driver for CUDA 13.0");
    EXPECT_STREQ(hydra_backend_isa(backend), "");
    EXPECT_EQ(hydra_backend_threads(backend), 0);
    int64_t free_bytes = 0, total_bytes = 0;
    must(hydra_backend_memory(backend, &free_bytes, &total_bytes));
    EXPECT_EQ(free_bytes, int64_t{60} << 30);
    EXPECT_EQ(total_bytes, int64_t{80} << 30);
}

TEST(CudaHost, CapturesOnceAndThenLaunchesAndWaitsOnceARun) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Matrix embedding = zeros(backend, 9, 24);
    const Buffer out = poisoned(backend, 24);
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    must(record_end(pass, pass.program, {nullptr, pass.rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    for (int run = 1; run <= 3; ++run) {
        pass.chain_of(2);
        pass.run();
        EXPECT_EQ(pass.result().length, 2 * run);
        EXPECT_EQ(counts.launches, run);
        EXPECT_EQ(counts.waits, run);
    }
    EXPECT_EQ(counts.captures, 1);
    must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
    pass.chain_of(2);
    pass.run();
    EXPECT_EQ(counts.captures, 2) << "another operation was recorded";
    workspace_bytes = 100000;
    pass.chain_of(2);
    pass.run();
    EXPECT_EQ(counts.captures, 3) << "the workspace moved";
    EXPECT_EQ(counts.launches, 5);
}

TEST(CudaHost, SetsAsideForAStreamWhatItSays) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Matrix weight = zeros(backend, 16, 100);
    const Buffer x = poisoned(backend, 100), out = poisoned(backend, 16);
    must(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, out}));
    workspace_bytes = 70000;
    const hydra_limits limits{ROWS, 16, 100, 1, 8, 1};
    hydra_workspace said{};
    must(hydra_backend_workspace(backend, &limits, &said));
    EXPECT_EQ(said.products, 70000);
    EXPECT_EQ(said.task, TASK_BYTES);
    EXPECT_EQ(said.handover, 2 * 1024) << "twice 1000 bytes, aligned";
    largest_allocation = 0;
    pass.chain_of(2);
    pass.run();
    EXPECT_EQ(said.bytes, largest_allocation);
}

TEST(CudaHost, HasOperationsLeaveTheirRowsForTheProductsThatFollow) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Matrix embedding = zeros(backend, 9, 64), square = zeros(backend, 64, 64), wide = zeros(backend, 96, 64);
    const Matrix narrow = zeros(backend, 64, 96), odd = zeros(backend, 40, 64);
    const Buffer x = poisoned(backend, 64), inner = poisoned(backend, 96), norm = floats(backend, Floats(64));
    const Buffer other = poisoned(backend, 64);
    const hydra_rows* rows = pass.rows;
    must(record(pass.program, hydra_embed{rows, embedding, x, 0}));
    must(record(pass.program, hydra_gate_up{rows, x, norm, 1e-5f, wide, wide, HYDRA_SILU, inner}));
    must(record(pass.program, hydra_linear{rows, inner, narrow, nullptr, x, x}));
    must(record(pass.program, hydra_linear{rows, x, square, nullptr, nullptr, other}));
    // It does not read what the one before has written, nor are 40 columns whole blocks.
    must(record(pass.program, hydra_linear{rows, x, odd, nullptr, nullptr, inner}));
    handed.clear();
    pass.chain_of(2);
    pass.run();
    ASSERT_EQ(handed.size(), 5u);
    EXPECT_EQ(handed[0].given, nullptr);
    for (int i = 0; i < 3; ++i) {
        ASSERT_NE(handed[i].left.memory, nullptr) << i;
        ASSERT_NE(handed[i + 1].given, nullptr) << i;
    }
    EXPECT_EQ(handed[0].left.norm, reinterpret_cast<const float*>(norm->data.get()));
    EXPECT_EQ(handed[1].left.norm, nullptr);
    EXPECT_EQ(handed[0].left.memory, handed[2].left.memory);
    const auto apart = static_cast<uint8_t*>(handed[1].left.memory) - static_cast<uint8_t*>(handed[0].left.memory);
    EXPECT_GE(std::abs(apart), 1000) << "what one operation reads, another one would overwrite";
    EXPECT_EQ(handed[3].left.memory, nullptr);
    EXPECT_EQ(handed[4].given, nullptr);
}

TEST(CudaHost, HandsNothingOverInPassesOfSeveralWaves) {
    // Whether there are several is a matter of the rows, not of the room for them.
    const Backend backend = open_fake();
    Pass pass(backend, std::vector<int>{0}, cuda::HANDOVER_ROWS + 1);
    const Matrix embedding = zeros(backend, 9, 64), square = zeros(backend, 64, 64);
    const Buffer x = poisoned(backend, 64, cuda::HANDOVER_ROWS + 1),
                 out = poisoned(backend, 64, cuda::HANDOVER_ROWS + 1);
    must(record(pass.program, hydra_embed{pass.rows, embedding, x, 0}));
    must(record(pass.program, hydra_linear{pass.rows, x, square, nullptr, nullptr, out}));
    handed.clear();
    pass.chain_of(cuda::HANDOVER_ROWS + 1);
    pass.run();
    ASSERT_EQ(handed.size(), 2u);
    EXPECT_EQ(handed[0].left.memory, nullptr);
    EXPECT_EQ(handed[1].given, nullptr);
    handed.clear();
    pass.chain_of(cuda::HANDOVER_ROWS);
    pass.run();
    ASSERT_EQ(handed.size(), 2u);
    EXPECT_NE(handed[0].left.memory, nullptr);
    EXPECT_NE(handed[1].given, nullptr);
}

TEST(CudaHost, KeepsAGraphForEachBucketOfRows) {
    const Backend backend = open_fake();
    Pass pass(backend, std::vector<int>{0}, 900);
    const Matrix weight = zeros(backend, 16, 96);
    const Buffer x = poisoned(backend, 96, 900), out = poisoned(backend, 16, 900);
    must(record(pass.program, hydra_linear{pass.rows, x, weight, nullptr, nullptr, out}));
    std::vector<int32_t> launched;
    for (const int rows : {1, 2, 8, 9, 16, 17, 40, 64, 100, 200, 256, 257, 500, 513, 800, 900, 1, 64}) {
        pass.chain_of(rows);
        const int before = counts.captures;
        linear_rows = 0;
        pass.run();
        launched.push_back(counts.captures > before ? linear_rows : 0);
    }
    EXPECT_EQ(launched, (std::vector<int32_t>{1, 8, 0, 16, 0, 32, 64, 0, 128, 256, 0, 512, 0, 768, 900, 0, 0, 0}));
}

TEST(CudaHost, UploadsWhatTheHostHasChangedAndNothingElse) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Tree expanded = tree(pass.batch, Shape{});
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    pass.run();
    EXPECT_EQ(counts.uploads, 5) << "the state, the pages, the rows, the tree, and that it does not grow";
    pass.run();
    EXPECT_EQ(counts.uploads, 5);
    must(hydra_tree_set(expanded, 0, std::vector<int32_t>{-1, 0}.data(), std::vector<int32_t>{0, 3}.data(), 2));
    pass.run();
    EXPECT_EQ(counts.uploads, 6);
    EXPECT_EQ(counts.fetches, 0);
    EXPECT_EQ(hydra_rows_count(pass.rows), 2);
    EXPECT_EQ(counts.fetches, 1) << "the rows, as they were asked for";
    const int32_t pages[] = {5};
    must(hydra_batch_set_pages(pass.batch, 0, pages, 1));
    pass.run();
    EXPECT_EQ(counts.uploads, 8) << "the table, and how long it is";
    EXPECT_EQ(hydra_rows_count(pass.rows), 2);
    EXPECT_EQ(pass.rows->view.segments[0].first, 5);
    must(hydra_batch_rewind(pass.batch, 0, 0, 7));
    EXPECT_EQ(hydra_rows_count(pass.rows), 0);
    pass.run();
    EXPECT_EQ(counts.uploads, 9);
    EXPECT_EQ(hydra_rows_count(pass.rows), 2) << "the device knows of the rewind";
}

TEST(CudaHost, FetchesATopWhenItIsAskedFor) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Matrix head = zeros(backend, 50, 24);
    const Buffer x = poisoned(backend, 24);
    const Top best = top(backend, 2);
    must(record(pass.program, hydra_lm_head{pass.rows, 0, x, head, nullptr, nullptr, best, nullptr, 0, 0}));
    const int32_t* ids = hydra_top_ids(best);
    EXPECT_EQ(ids[0], 0);
    pass.chain({41});
    pass.run();
    EXPECT_EQ(counts.fetches, 0);
    EXPECT_EQ(hydra_top_ids(best), ids);
    EXPECT_EQ(ids[0], 42);
    hydra_top_values(best);
    EXPECT_EQ(counts.fetches, 1);
}

TEST(CudaHost, TellsTheTimesOfMarksByTheHostsClock) {
    const Backend backend = open_fake();
    Pass pass(backend);
    const Tree expanded = tree(pass.batch, Shape{});
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    must(hydra_program_mark(pass.program));
    must(record(pass.program, hydra_expand{expanded, nullptr, pass.rows}));
    must(hydra_program_mark(pass.program));
    for (int64_t clock : {int64_t{0}, int64_t{1} << 60}) {
        device_clock = clock;
        const int64_t before = now();
        pass.run();
        const int64_t after = now(), *times = hydra_program_times(pass.program);
        ASSERT_EQ(hydra_program_marks(pass.program), 4);
        EXPECT_GE(times[0], before);
        for (int i = 1; i < 4; ++i) EXPECT_LE(times[i - 1], times[i]);
        EXPECT_LE(times[3], after);
        EXPECT_EQ(times[2] - times[1], 10) << "the second expansion's";
        EXPECT_EQ(times[3], times[2]) << "nothing is between them";
    }
}

TEST(CudaHost, TellsWhyAnOperationCannotBeLaunchedAndGoesOn) {
    const Backend backend = open_fake();
    Pass pass(backend), other(backend);
    const Pool kv = pool(backend, 1, 1, 8, PAGES);
    const Buffer query = poisoned(backend, 8), out = poisoned(backend, 8);
    must(record(pass.program, hydra_attention{pass.rows, query, 1, kv, 0, out, 0, 0, 0}));
    must(record_end(other, other.program, {nullptr, other.rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    attention_fails = true;
    EXPECT_EQ(hydra_program_run(pass.program), HYDRA_INTERNAL);
    EXPECT_STREQ(hydra_error_message(), "hydra_program_run failed\nthe attention cannot be launched");
    other.chain_of(3);
    other.run();
    EXPECT_EQ(other.result().length, 3);
    attention_fails = false;
    EXPECT_EQ(hydra_program_run(pass.program), HYDRA_OK);
}

TEST(CudaHost, RunsAnEmptyProgramWithoutTheDevice) {
    const Backend backend = open_fake();
    const Program empty = program_of(backend);
    must(hydra_program_run(empty));
    EXPECT_EQ(counts.launches, 0);
}

TEST(CudaHost, HasRoomForAnyNumberOfRows) {
    const Backend backend = open_fake();
    const Pass pass(backend);
    std::vector<Rows> many;
    for (int i = 0; i < 20; ++i) {
        many.push_back(rows(pass.batch));
        set_chain(many[i], 0, i + 1);
    }
    many.erase(many.begin() + 3, many.begin() + 12);
    for (int i = 0; i < 5; ++i) many.push_back(rows(pass.batch));
    EXPECT_EQ(hydra_rows_count(many[2]), 3);
    EXPECT_EQ(hydra_rows_count(many[3]), 13);
    EXPECT_EQ(hydra_rows_count(many[15]), 0);
    must(record_end(pass, pass.program, {nullptr, many[10], nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
    must(hydra_program_run(pass.program));
    EXPECT_EQ(pass.result().length, 20);
}

TEST(CudaHost, GivesBackAllMemory) {
    {
        const Backend backend = open_fake();
        Pass pass(backend);
        const Matrix embedding = zeros(backend, 9, 24);
        const Buffer out = poisoned(backend, 24);
        const Rope angles = rope(backend, 8, 10);
        const Pool kv = pool(backend, 1, 1, 8, 3);
        must(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}));
        must(hydra_program_mark(pass.program));
        pass.run();
        EXPECT_GT(counts.allocations, 0);
    }
    EXPECT_EQ(counts.allocations, 0);
    EXPECT_EQ(counts.open, 0);
}

TEST(CudaHost, RefusesHandlesOfAnotherBackend) {
    const Backend backend = open_fake(), other = open_fake();
    const Pass pass(backend);
    const Matrix embedding = zeros(other, 9, 24);
    const Buffer out = poisoned(backend, 24);
    expect_refused(record(pass.program, hydra_embed{pass.rows, embedding, out, 0}), "belongs to another backend");
}

// A stream of the caller's, on it a pass whose program makes the best of row 0 its token + 1, and one that makes the
// rows verified positions.
struct Interleaved {
    Backend backend = open_fake();
    cuda::Stream theirs{false};
    test::Stream stream = wrap(backend, &theirs);
    Pass pass{backend};
    Matrix weight = zeros(backend, 50, 24);
    Buffer x = poisoned(backend, 24);
    Top best = top(backend, 2);
    Tree expanded = tree(pass.batch, Shape{});
    Program head = program_of(backend, stream), advance = program_of(backend, stream);

    Interleaved() {
        record_head(head);
        must(record_end(pass, advance, {nullptr, pass.rows, best, nullptr, nullptr, 0, nullptr, nullptr, 0}));
        pass.chain({41});
    }
    void record_head(hydra_program* program) {
        must(record(program, hydra_lm_head{pass.rows, 0, x, weight, nullptr, nullptr, best, nullptr, 0, 0}));
    }
    int32_t best_on_device() const { return best->memory.on_device(best->ids)[0]; }
    hydra_status set_chain(int32_t token) {
        const int32_t sequence = 0, count = 1;
        return hydra_rows_set_chains(pass.rows, &sequence, &count, 1, &token, nullptr);
    }
};

TEST(CudaHost, RunsEnqueuedProgramsInTheOrderOfTheCallersStream) {
    Interleaved two;
    std::vector<int32_t> seen;
    const auto look = [&] { seen.push_back(two.best_on_device()); };
    two.theirs.waiting.push_back(look);
    must(hydra_program_enqueue(two.head));
    two.theirs.waiting.push_back(look);
    must(hydra_program_enqueue(two.advance));
    EXPECT_EQ(counts.waits, 0);
    EXPECT_EQ(hydra_top_ids(two.best)[0], 0);
    EXPECT_EQ(two.pass.result().length, 0);
    must(table().stream_wait(&two.theirs));
    EXPECT_EQ(seen, (std::vector<int32_t>{0, 42}));
    must(hydra_program_await(two.head));
    must(hydra_program_await(two.advance));
    EXPECT_EQ(hydra_top_ids(two.best)[0], 42) << "although they were asked for too early before";
    EXPECT_EQ(two.pass.result().length, 1);
    EXPECT_EQ(two.pass.result().root, 42);
    const int64_t* times = hydra_program_times(two.head);
    EXPECT_GT(times[0], 0);
    EXPECT_LE(times[0], times[1]);
    const int waits = counts.waits;
    must(hydra_program_await(two.head));
    EXPECT_EQ(counts.waits, waits) << "nothing is enqueued";
}

TEST(CudaHost, KeepsTheStateOfAnEnqueuedProgramFromChange) {
    Interleaved two;
    must(record(two.advance, hydra_expand{two.expanded, nullptr, two.pass.rows}));
    must(hydra_program_enqueue(two.advance));
    const int32_t page = 0, parent = -1, rank = 0;
    const int32_t page_count = 1;
    const Rows more = rows(two.pass.batch);
    const std::string why = "a program that uses this state is enqueued: await it first";
    expect_refused(two.set_chain(1), "a program that changes the batch is enqueued: await it first");
    expect_refused(hydra_rows_set_chains(more, &page, &page_count, 1, &page, nullptr),
                   "a program that changes the batch is enqueued: await it first");
    expect_refused(hydra_batch_set_pages(two.pass.batch, 0, &page, 1), why);
    expect_refused(hydra_batch_rewind(two.pass.batch, 0, 0, -1), why);
    expect_refused(hydra_tree_set(two.expanded, 0, &parent, &rank, 1), why);
    expect_refused(hydra_program_mark(two.advance), "the program is enqueued: await it before it records more");
    EXPECT_EQ(hydra_program_marks(two.advance), 2);
    must(hydra_program_await(two.advance));
    must(hydra_tree_set(two.expanded, 0, &parent, &rank, 1));
    must(hydra_batch_rewind(two.pass.batch, 0, 0, -1));
    must(hydra_program_mark(two.advance));
    EXPECT_EQ(two.set_chain(1), HYDRA_OK);
}

TEST(CudaHost, EnqueuesNothingBehindAProgramThatChangesTheState) {
    Interleaved two;
    const Program elsewhere = program_of(two.backend);
    two.record_head(elsewhere);
    must(hydra_program_enqueue(two.head));
    must(hydra_program_enqueue(two.head));
    expect_refused(hydra_program_run(elsewhere), "a program of another stream that uses the same state is enqueued");
    must(hydra_program_enqueue(two.advance));
    const std::string why = "an enqueued program changes the state that this one reads: await it first";
    expect_refused(hydra_program_enqueue(two.head), why);
    expect_refused(hydra_program_run(two.advance), "takes in chains that were set: await it first, and set others");
    must(hydra_program_await(two.head));
    expect_refused(two.set_chain(1), "is enqueued");
    must(hydra_program_await(two.advance));
    must(hydra_program_run(elsewhere));
    EXPECT_EQ(two.set_chain(1), HYDRA_OK);
    EXPECT_EQ(counts.launches, 4);
}

// A step of the fake device makes as many positions verified as its tree has nodes.
struct Ahead : Interleaved {
    Program step = program_of(backend, stream);

    Ahead() {
        must(record(step, hydra_expand{expanded, nullptr, pass.rows}));
        must(record(step, hydra_lm_head{pass.rows, 0, x, weight, nullptr, nullptr, best, nullptr, 0, 0}));
        must(record_end(pass, step, {nullptr, pass.rows, best, nullptr, nullptr, 0, nullptr, nullptr, 0}));
        must(hydra_program_run(advance));
    }
    int32_t length() const { return pass.result().length; }
};

TEST(CudaHost, EnqueuesAStepBeforeTheOneBeforeItIsAwaited) {
    Ahead one;
    must(hydra_program_enqueue(one.step));
    const int waits = counts.waits;
    for (int step = 1; step <= 4; ++step) {
        must(hydra_program_enqueue(one.step));
        EXPECT_EQ(hydra_program_enqueue(one.step), HYDRA_INVALID_ARGUMENT) << "a third one";
        EXPECT_EQ(one.length(), step) << "what runs is not to be seen";
        must(hydra_program_await_first(one.step));
        EXPECT_EQ(one.length(), 1 + step);
        EXPECT_EQ(one.theirs.waiting.empty(), false) << "the next one need not have run";
        expect_refused(hydra_batch_rewind(one.pass.batch, 0, 0, -1), "is enqueued");
        EXPECT_EQ(hydra_program_enqueue(one.advance), HYDRA_INVALID_ARGUMENT) << "another program";
    }
    EXPECT_EQ(counts.waits, waits) << "for all of the stream";
    must(hydra_program_await_first(one.step));
    EXPECT_EQ(one.length(), 6);
    EXPECT_EQ(counts.waits, waits + 1);
    EXPECT_EQ(hydra_rows_count(one.pass.rows), 1);
    must(hydra_batch_rewind(one.pass.batch, 0, 3, 7));
    must(hydra_program_run(one.step));
    EXPECT_EQ(one.length(), 4) << "the device knows that the host has gone back";
}

TEST(CudaHost, EndsBothStepsWhereTheFirstFails) {
    Ahead one;
    must(hydra_program_enqueue(one.step));
    must(hydra_program_enqueue(one.step));
    note_fails = true;
    EXPECT_EQ(hydra_program_await_first(one.step), HYDRA_INTERNAL);
    EXPECT_NE(std::string(hydra_error_message()).find("the device has failed"), std::string::npos);
    EXPECT_EQ(one.length(), 1);
    must(hydra_batch_rewind(one.pass.batch, 0, 0, -1));
}

TEST(CudaHost, RefusesAStreamThatTheCallerCaptures) {
    Interleaved two;
    two.theirs.capturing = true;
    expect_refused(hydra_program_enqueue(two.head), "the stream is being captured");
    expect_refused(hydra_program_run(two.head), "the stream is being captured");
    EXPECT_EQ(two.set_chain(6), HYDRA_OK) << "the refused program holds nothing";
    two.theirs.capturing = false;
    must(hydra_program_enqueue(two.head));
    two.theirs.capturing = true;
    expect_refused(hydra_program_await(two.head), "the stream is being captured");
    expect_refused(two.set_chain(1), "is enqueued");
    two.theirs.capturing = false;
    must(hydra_program_await(two.head));
    EXPECT_EQ(hydra_top_ids(two.best)[0], 7);
    EXPECT_TRUE(two.theirs.captured.empty()) << "programs are captured on a stream of the backend's own";
}

TEST(CudaHost, WaitsForAnEnqueuedProgramBeforeItGoesOrItsWorkspaceGrows) {
    Interleaved two;
    must(hydra_program_enqueue(two.head));
    workspace_bytes = 100000;
    const Program larger = program_of(two.backend, two.stream);
    two.record_head(larger);
    must(hydra_program_enqueue(larger));
    EXPECT_EQ(counts.waits, 1);
    EXPECT_EQ(two.best_on_device(), 42);
    two.head = Program();
    EXPECT_EQ(counts.waits, 2);
    expect_refused(two.set_chain(1), "is enqueued");
    must(hydra_program_await(larger));
    EXPECT_EQ(two.set_chain(1), HYDRA_OK);
}

// Lets those who come wait until `expected` are there. False: they were not within the time.
class Meeting {
  public:
    explicit Meeting(int expected) : missing_(expected) {}
    bool meet() {
        std::unique_lock<std::mutex> lock(mutex_);
        --missing_;
        all_there_.notify_all();
        return all_there_.wait_for(lock, std::chrono::seconds(30), [&] { return missing_ <= 0; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable all_there_;
    int missing_;
};

TEST(CudaHost, RunsProgramsOfDifferentStreamsAtTheSameTime) {
    const Backend backend = open_fake();
    Meeting both(2);
    std::atomic<int> together{0};
    on_wait = [&] { together += both.meet(); };
    std::vector<std::thread> sessions;
    std::atomic<int> right{0};
    for (int s = 0; s < 2; ++s) {
        sessions.emplace_back([&, s] {
            hydra_stream* created = nullptr;
            must(hydra_stream_create(backend, &created));
            const test::Stream stream(created);
            Pass pass(backend);
            const Program program = program_of(backend, stream);
            must(record_end(pass, program, {nullptr, pass.rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0}));
            for (int run = 1; run <= 100; ++run) {
                pass.chain_of(s + 1);
                must(hydra_program_run(program));
                right += pass.result().length == run * (s + 1);
            }
        });
    }
    for (std::thread& session : sessions) session.join();
    on_wait = [] {};
    EXPECT_EQ(right, 200);
    EXPECT_EQ(together, 200) << "each found the other one waiting, the first time";
}

std::string reason(const std::string& library) {
    hydra_backend* out = nullptr;
    EXPECT_EQ(hydra_backend_open_cuda(library.c_str(), 0, &out), HYDRA_UNAVAILABLE);
    EXPECT_EQ(out, nullptr);
    return hydra_error_message();
}

TEST(CudaLibrary, SaysWhyItCannotBeUsed) {
    hydra_backend* out = nullptr;
    expect_refused(hydra_backend_open_cuda("libhydra4j_cuda.so", 0, &out), "must be an absolute path");
    expect_refused(hydra_backend_open_cuda(nullptr, 0, &out), "must be an absolute path");
    EXPECT_NE(reason("/nowhere/libhydra4j_cuda.so").find("there is no CUDA library /nowhere"), std::string::npos);
    const std::string text = testing::TempDir() + "hydra4j_no_library.so";
    std::ofstream(text) << "not a library";
    EXPECT_NE(reason(text).find("the CUDA library cannot be loaded: " + text), std::string::npos);
    std::remove(text.c_str());
    int32_t count = 0;
    EXPECT_EQ(hydra_cuda_devices("/nowhere/libhydra4j_cuda.so", &count), HYDRA_UNAVAILABLE);
    char description[8];
    EXPECT_EQ(hydra_cuda_describe("/nowhere/libhydra4j_cuda.so", 0, description, 8), HYDRA_UNAVAILABLE);
}

}  // namespace
}  // namespace hydra::test
