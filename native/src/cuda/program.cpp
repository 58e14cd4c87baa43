#include "cuda/program.h"

#include <algorithm>

#include "program/buffer.h"
#include "program/error.h"
#include "program/rope.h"

namespace hydra::cuda {

namespace {

template <class T>
void add_once(std::vector<T>& list, T item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

// What the handles are on the device.

RowsView view_of(const hydra_rows* rows) {
    if (rows == nullptr) return {};
    const Mirror &own = rows->memory, &batch = rows->batch->memory;
    RowsView view = rows->view;
    view.state = own.on_device(view.state);
    view.segments = own.on_device(view.segments);
    view.last_rows = own.on_device(view.last_rows);
    view.tokens = own.on_device(view.tokens);
    view.positions = own.on_device(view.positions);
    view.segment_of = own.on_device(view.segment_of);
    view.ancestors = own.on_device(view.ancestors);
    view.generation = batch.on_device(view.generation);
    view.batch = batch.on_device(view.batch);
    view.pages = rows->batch->page_memory.on_device(rows->batch->pages);
    return view;
}

MatrixView view_of(const hydra_matrix* matrix) {
    return matrix == nullptr ? MatrixView{} : static_cast<const CudaMatrix*>(matrix)->view;
}

KvView view_of(const hydra_kv_pool* pool) { return static_cast<const CudaKvPool*>(pool)->view; }

TopView view_of(const hydra_top* top) {
    if (top == nullptr) return {};
    return {top->k, top->memory.on_device(top->ids), top->memory.on_device(top->values)};
}

const TreeData* view_of(const hydra_tree* tree) { return tree->memory.on_device(tree->data); }

const float* floats_of(const hydra_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->floats(); }

float* floats_of(hydra_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->floats(); }

WorkspaceNeed need_of(const hydra_matrix* matrix) {
    WorkspaceNeed need;
    if (matrix != nullptr) {
        need.rows = matrix->rows;
        need.columns = matrix->columns;
    }
    return need;
}

// Enqueues each operation.
struct Launch {
    const DeviceApi& api;
    Stream* stream;
    void* workspace;
    const Mirror& marks;

    void operator()(const hydra::Embed& o) const {
        const Embed arguments{view_of(o.rows), view_of(o.embedding), floats_of(o.out)};
        must(api, api.embed(stream, &arguments));
    }
    void operator()(const hydra::Qkv& o) const {
        const Qkv arguments{view_of(o.rows),
                            floats_of(o.x),
                            floats_of(o.norm),
                            o.epsilon,
                            view_of(o.query),
                            view_of(o.key),
                            view_of(o.value),
                            floats_of(o.query_bias),
                            floats_of(o.key_bias),
                            floats_of(o.value_bias),
                            o.rope->values(),
                            view_of(o.pool),
                            o.layer,
                            floats_of(o.out),
                            workspace};
        must(api, api.qkv(stream, &arguments));
    }
    void operator()(const hydra::Attention& o) const {
        const Attention arguments{view_of(o.rows),  floats_of(o.query),
                                  o.heads,          view_of(o.pool),
                                  o.layer,          static_cast<int32_t>(o.rows->batch->capacity()),
                                  floats_of(o.out), workspace};
        must(api, api.attention(stream, &arguments));
    }
    void operator()(const hydra::Project& o) const {
        const Project arguments{view_of(o.rows),   floats_of(o.x),        view_of(o.weight),
                                floats_of(o.bias), floats_of(o.residual), workspace};
        must(api, api.project(stream, &arguments));
    }
    void operator()(const hydra::Linear& o) const {
        const Linear arguments{view_of(o.rows),   floats_of(o.x),   view_of(o.weight),
                               floats_of(o.bias), floats_of(o.out), workspace};
        must(api, api.linear(stream, &arguments));
    }
    void operator()(const hydra::GateUp& o) const {
        const GateUp arguments{view_of(o.rows), floats_of(o.x), floats_of(o.norm), o.epsilon,
                               view_of(o.gate), view_of(o.up),  floats_of(o.out),  workspace};
        must(api, api.gate_up(stream, &arguments));
    }
    void operator()(const hydra::Norm& o) const {
        const Norm arguments{view_of(o.rows), floats_of(o.x), floats_of(o.norm),
                             o.epsilon,       o.columns,      floats_of(o.out)};
        must(api, api.norm(stream, &arguments));
    }
    void operator()(const hydra::LmHead& o) const {
        const LmHead arguments{view_of(o.rows),   o.last_rows_only,    floats_of(o.x),
                               view_of(o.weight), floats_of(o.bias),   o.ids == nullptr ? nullptr : o.ids->ints(),
                               view_of(o.top),    floats_of(o.logits), workspace};
        must(api, api.lm_head(stream, &arguments));
    }
    void operator()(const hydra::Block& o) const {
        const Block arguments{view_of(o.rows), floats_of(o.x),           view_of(o.linear),
                              view_of(o.skip), floats_of(o.linear_bias), floats_of(o.skip_bias),
                              o.group,         floats_of(o.out),         workspace};
        must(api, api.block(stream, &arguments));
    }
    void operator()(const hydra::Expand& o) const {
        const Expand arguments{view_of(o.tree), view_of(o.rows)};
        must(api, api.expand(stream, &arguments));
    }
    void operator()(const hydra::DraftStates& o) const {
        const DraftStates arguments{view_of(o.rows), floats_of(o.x), floats_of(o.norm),
                                    o.epsilon,       o.columns,      floats_of(o.states)};
        must(api, api.draft_states(stream, &arguments));
    }
    void operator()(const hydra::DraftInputs& o) const {
        const DraftInputs arguments{view_of(o.tree),       o.level,         view_of(o.nodes),
                                    floats_of(o.states),   o.width,         view_of(o.embedding),
                                    view_of(o.level_rows), floats_of(o.out)};
        must(api, api.draft_inputs(stream, &arguments));
    }
    void operator()(const hydra::TableBlock& o) const {
        const TableBlock arguments{
            view_of(o.tree), o.level, view_of(o.nodes),      floats_of(o.parts), o.width, o.first, o.tables->halves(),
            o.vocabulary,    o.n,     view_of(o.level_rows), floats_of(o.out)};
        must(api, api.table_block(stream, &arguments));
    }
    void operator()(const hydra::DraftLevels& o) const {
        const DraftLevels arguments{view_of(o.tree), view_of(o.nodes), view_of(o.rows)};
        must(api, api.draft_levels(stream, &arguments));
    }
    void operator()(const hydra::DraftTokens& o) const {
        const DraftTokens arguments{view_of(o.tree), o.level, view_of(o.top), o.group, view_of(o.nodes)};
        must(api, api.draft_tokens(stream, &arguments));
    }
    void operator()(const hydra::Accept& o) const {
        const Accept arguments{view_of(o.tree),
                               view_of(o.nodes),
                               view_of(o.best),
                               view_of(o.pool),
                               floats_of(o.hidden),
                               o.width,
                               view_of(o.uncommitted_rows),
                               floats_of(o.uncommitted),
                               o.append};
        must(api, api.accept(stream, &arguments));
    }
    void operator()(const hydra::Advance& o) const {
        const Advance arguments{
            view_of(o.rows),         view_of(o.best), floats_of(o.hidden), o.width, view_of(o.uncommitted_rows),
            floats_of(o.uncommitted)};
        must(api, api.advance(stream, &arguments));
    }
    void operator()(const hydra::Mark& o) const {
        const Mark arguments{marks.on_device(marks.at<int64_t>() + o.index)};
        must(api, api.mark(stream, &arguments));
    }
};

}  // namespace

CudaProgram::~CudaProgram() {
    if (runs > 0 && cuda.is_of_this_process()) {
        // Where this fails, so has the device, or the caller captures the stream behind the program's end.
        if (cuda.api.require_not_captured(stream.handle) == HYDRA_OK) cuda.api.stream_wait(stream.handle);
        give_back(runs);
    }
    discard_graph();
}

void CudaProgram::discard_graph() {
    if (graph != nullptr) cuda.api.graph_destroy(graph);
    graph = nullptr;
}

void CudaProgram::use(const hydra_rows* rows) {
    if (rows == nullptr) return;
    add_once(inputs, &rows->memory);
    add_once(inputs, &rows->batch->memory);
    add_once(inputs, &rows->batch->page_memory);
}

void CudaProgram::use(hydra_rows* rows) {
    if (rows == nullptr) return;
    use(static_cast<const hydra_rows*>(rows));
    add_once<const hydra_rows*>(rewritten, rows);
    changes_state = true;
}

void CudaProgram::bring_back(hydra_batch& batch) {
    add_once(outputs, &batch.memory);
    changes_state = true;
}

void CudaProgram::use(const hydra_tree* tree) { add_once(inputs, const_cast<Mirror*>(&tree->memory)); }

void CudaProgram::use(const hydra_top* top) {
    if (top != nullptr) add_once(inputs, const_cast<Mirror*>(&top->memory));
}

void CudaProgram::add(const Operation& operation) {
    std::lock_guard<std::mutex> lock(mutex);
    HYDRA_REQUIRE(runs == 0, "the program is enqueued: await it before it records more");
    const size_t before[] = {inputs.size(), outputs.size(), rewritten.size(), found.size()};
    try {
        note(operation);
    } catch (...) {
        // The handles of an operation that is not recorded may be gone when the program runs.
        inputs.resize(before[0]);
        outputs.resize(before[1]);
        rewritten.resize(before[2]);
        found.resize(before[3]);
        throw;
    }
    discard_graph();
}

void CudaProgram::note(const Operation& operation) {
    WorkspaceNeed need;
    std::visit(
        [&](const auto& o) {
            if constexpr (requires { o.rows; }) {
                use(o.rows);
                need.pass_rows = o.rows->max_rows;
            }
            if constexpr (requires { o.nodes; }) use(o.nodes);
            if constexpr (requires { o.level_rows; }) use(o.level_rows);
            if constexpr (requires { o.uncommitted_rows; }) use(o.uncommitted_rows);
            if constexpr (requires { o.tree; }) use(o.tree);
            if constexpr (requires { o.top; }) use(o.top);
            if constexpr (requires { o.best; }) use(o.best);
            if constexpr (requires {
                              o.query->rows;
                              o.key;
                          }) {
                need.include(need_of(o.query));
                need.include(need_of(o.key));
                need.include(need_of(o.value));
            }
            if constexpr (requires { o.weight; }) need.include(need_of(o.weight));
            if constexpr (requires { o.gate; }) need.include(need_of(o.gate));
            if constexpr (requires { o.linear; }) need.include(need_of(o.linear));
            if constexpr (requires { o.heads; }) {
                need.heads = o.heads;
                need.head_size = o.pool->head_size;
                need.positions = static_cast<int32_t>(o.rows->batch->capacity());
            }
        },
        operation);
    if (const auto* head = std::get_if<hydra::LmHead>(&operation)) add_once<const hydra_top*>(found, head->top);
    if (const auto* step = std::get_if<hydra::Accept>(&operation)) bring_back(*step->nodes->batch);
    if (const auto* chunk = std::get_if<hydra::Advance>(&operation)) bring_back(*chunk->rows->batch);
    stream.need.include(need);
}

void CudaProgram::record_on(Stream* target, void* workspace) {
    const Launch launch{cuda.api, target, workspace, marks};
    const bool timed = times.size() > 2;
    if (timed) launch(hydra::Mark{0});
    for (const Operation& operation : operations) std::visit(launch, operation);
    if (timed) {
        launch(hydra::Mark{static_cast<int32_t>(times.size() - 1)});
        must(cuda.api, cuda.api.enqueue_copy_out(target, marks.host.get(), marks.device.get(), marks.bytes));
    }
    for (const Mirror* state : outputs) {
        must(cuda.api, cuda.api.enqueue_copy_out(target, state->host.get(), state->device.get(), state->bytes));
    }
}

void CudaProgram::capture(void* workspace) {
    discard_graph();
    // Read first: a table that moves meanwhile is captured again.
    graph_tables = cuda.moved_tables;
    const auto bytes = static_cast<int64_t>(times.size() * sizeof(int64_t));
    if (times.size() > 2 && marks.bytes != bytes) marks = cuda.mirror(bytes);
    std::lock_guard<std::mutex> lock(cuda.mutex);
    Stream* target = cuda.capturing->handle;
    must(cuda.api, cuda.api.capture_begin(target));
    try {
        record_on(target, workspace);
    } catch (...) {
        // The stream must leave its capture, whatever has become of it.
        Graph* partial = nullptr;
        if (cuda.api.capture_end(target, &partial) == HYDRA_OK) cuda.api.graph_destroy(partial);
        throw;
    }
    must(cuda.api, cuda.api.capture_end(target, &graph));
    graph_workspace = workspace;
}

void CudaProgram::claim() {
    std::lock_guard<std::mutex> lock(cuda.mutex);
    for (const Mirror* state : inputs) {
        if (state->enqueued == 0) continue;
        HYDRA_REQUIRE(state->stream == &stream,
                      "a program of another stream that uses the same state is enqueued: "
                      "await it first, or use one stream");
        HYDRA_REQUIRE(!state->changing, "an enqueued program changes the state that this one reads: await it first");
    }
    for (Mirror* state : inputs) {
        ++state->enqueued;
        state->stream = &stream;
        state->changing = changes_state;
    }
    ++runs;
}

void CudaProgram::give_back(int32_t ended) {
    std::lock_guard<std::mutex> lock(cuda.mutex);
    runs -= ended;
    for (Mirror* state : inputs) {
        state->enqueued -= ended;
        state->changing = state->changing && !changes_state;
    }
}

void CudaProgram::launch() {
    begun = now();
    if (operations.empty()) return;
    must(cuda.api, cuda.api.require_not_captured(stream.handle));
    void* workspace = stream.prepare_workspace();
    if (graph == nullptr || workspace != graph_workspace || graph_tables != cuda.moved_tables) capture(workspace);
    for (Mirror* state : inputs) {
        if (!state->changed) continue;
        must(cuda.api, cuda.api.enqueue_copy_in(stream.handle, state->device.get(), state->host.get(), state->bytes));
        state->changed = false;
    }
    must(cuda.api, cuda.api.graph_launch(graph, stream.handle));
}

void CudaProgram::await() {
    if (runs == 0) return;
    must(cuda.api, cuda.api.require_not_captured(stream.handle));
    const hydra_status status = cuda.api.stream_wait(stream.handle);
    give_back(runs);
    must(cuda.api, status);
    for (const hydra_rows* rows : rewritten) rows->behind = true;
    for (const hydra_top* top : found) top->behind = true;
    place_marks(begun, now());
}

// The device's clock is not the host's: its marks are moved so that the last one is the end that the host saw. What the
// launch took lies before the first operation.
void CudaProgram::place_marks(int64_t begin, int64_t end) {
    times.front() = begin;
    const size_t last = times.size() - 1;
    for (size_t i = 1; i < last; ++i) {
        const int64_t* device_times = marks.at<int64_t>();
        times[i] = std::clamp(end - (device_times[last] - device_times[i]), times[i - 1], end);
    }
    times.back() = end;
}

}  // namespace hydra::cuda
