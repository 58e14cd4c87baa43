#include "cuda/program.h"

#include <algorithm>
#include <type_traits>

#include "program/buffer.h"
#include "program/error.h"
#include "program/rope.h"
#include "program/sampling.h"

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

KvView view_of(const hydra_kv_pool* pool) {
    return pool == nullptr ? KvView{} : static_cast<const CudaKvPool*>(pool)->view;
}

TopView view_of(const hydra_top* top) {
    if (top == nullptr) return {};
    return {top->k, top->memory.on_device(top->ids), top->memory.on_device(top->values), top->max_rows};
}

const TreeData* view_of(const hydra_tree* tree) {
    return tree == nullptr ? nullptr : tree->memory.on_device(tree->data);
}

SamplingView view_of(const hydra_sampling* sampling) {
    if (sampling == nullptr) return {};
    SamplingView view = sampling->view;
    view.options = sampling->memory.on_device(sampling->options);
    return view;
}

TreesView view_of(hydra_tree* tree) {
    return {tree->memory.on_device(tree->data), tree->setting.on_device(tree->growth), tree->grown(), tree->sprouts(),
            tree->setting.on_device(tree->budget)};
}

template <class Element>
const Element* elements_of(const hydra_buffer* buffer) {
    return buffer == nullptr ? nullptr : reinterpret_cast<const Element*>(buffer->data.get());
}

template <class Element>
Element* elements_of(hydra_buffer* buffer) {
    return buffer == nullptr ? nullptr : reinterpret_cast<Element*>(buffer->data.get());
}

const float* view_of(const hydra_rope* rope) { return rope->values(); }

int32_t view_of(int32_t number) { return number; }
int64_t view_of(int64_t number) { return number; }
float view_of(float number) { return number; }

// What a field of an operation adds to its need.
template <class Field>
WorkspaceNeed need_of([[maybe_unused]] Field value) {
    WorkspaceNeed need;
    if constexpr (std::is_convertible_v<Field, const hydra_matrix*>) {
        if (value != nullptr) {
            need.rows = value->rows;
            need.columns = value->columns;
        }
    } else if constexpr (std::is_convertible_v<Field, const hydra_rows*>) {
        if (value != nullptr) need.pass_rows = value->max_rows;
    }
    return need;
}

// Whether heads are appended as their products leave them, but for RoPE.
bool appends(const hydra::AppendKv& append, const hydra::Qkv& qkv) {
    const int64_t columns = int64_t{append.pool->kv_heads} * append.pool->head_size;
    return append.rows == qkv.rows && append.query == qkv.query_out && append.key == qkv.key_out &&
           append.value == qkv.value_out && append.query_norm == nullptr && append.key_norm == nullptr &&
           qkv.query->rows == int64_t{append.heads} * append.pool->head_size && qkv.key->rows == columns &&
           qkv.value->rows == columns;
}

WorkspaceNeed heads_of(const hydra::Attention& attention) {
    WorkspaceNeed need;
    need.heads = attention.heads;
    need.head_size = attention.pool->head_size;
    need.positions = static_cast<int32_t>(attention.rows->batch->capacity());
    return need;
}

// Rows of a buffer that an operation computes, or reads as the activations of products.
struct ProductRows {
    const hydra_rows* rows = nullptr;  // none of its rows where it is null
    const hydra_buffer* buffer = nullptr;
    int64_t columns = 0;
    const hydra_buffer* norm = nullptr;
    std::vector<hydra_type> types{};  // of the products' weights
};

struct RowsWritten {
    ProductRows operator()(const hydra::Embed& o) const { return {o.rows, o.out, o.embedding->columns}; }
    ProductRows operator()(const hydra::Attention& o) const {
        return {o.rows, o.out, int64_t{o.heads} * o.pool->head_size};
    }
    ProductRows operator()(const hydra::Linear& o) const { return {o.rows, o.out, o.weight->rows}; }
    ProductRows operator()(const hydra::GateUp& o) const { return {o.rows, o.out, o.gate->rows}; }
    ProductRows operator()(const hydra::Norm& o) const { return {o.rows, o.out, o.width}; }
    ProductRows operator()(const hydra::Block& o) const {
        if (o.group != 0) return {};
        return {o.rows, o.out, o.linear->rows};
    }
    ProductRows operator()(const hydra::TableBlock& o) const { return {o.level_rows, o.out, o.n}; }
    ProductRows operator()(const hydra::DraftInputs& o) const {
        if (o.width % HANDOVER_COLUMNS != 0) return {};
        return {o.level_rows, o.out, o.embedding != nullptr ? (o.level + 2) * o.width : o.width};
    }
    template <class Other>
    ProductRows operator()(const Other&) const {
        return {};
    }
};

struct RowsRead {
    ProductRows operator()(const hydra::Qkv& o) const {
        return {o.rows, o.x, o.query->columns, o.norm, {o.query->type, o.key->type, o.value->type}};
    }
    ProductRows operator()(const hydra::Linear& o) const {
        return {o.rows, o.x, o.weight->columns, nullptr, {o.weight->type}};
    }
    ProductRows operator()(const hydra::GateUp& o) const {
        return {o.rows, o.x, o.gate->columns, o.norm, {o.gate->type, o.up->type}};
    }
    ProductRows operator()(const hydra::LmHead& o) const {
        if (o.selected_rows_only != 0) return {};
        return {o.rows, o.x, o.weight->columns, nullptr, {o.weight->type}};
    }
    ProductRows operator()(const hydra::Block& o) const {
        const hydra_type skip = o.skip != nullptr ? o.skip->type : o.linear->type;
        return {o.rows, o.x, o.linear->columns, nullptr, {o.linear->type, skip}};
    }
    template <class Other>
    ProductRows operator()(const Other&) const {
        return {};
    }
};

// Has `memory` hand over what an operation computes to one that follows it immediately, where they fit each other.
bool hands_over(const Operation& from, const Operation& to, void* memory, Handover* out) {
    const ProductRows written = std::visit(RowsWritten{}, from), read = std::visit(RowsRead{}, to);
    if (written.rows == nullptr || written.rows != read.rows || written.buffer != read.buffer ||
        written.columns != read.columns || written.columns % HANDOVER_COLUMNS != 0 ||
        written.rows->max_rows > HANDOVER_ROWS) {
        return false;
    }
    for (const hydra_type type : read.types) {
        if (!read_alike(type, read.types.front())) return false;
    }
    *out = {memory, read.types.front(), elements_of<float>(read.norm)};
    return true;
}

// Enqueues each operation.
struct Launch {
    const DeviceApi& api;
    Stream* stream;
    void* workspace;
    const Mirror& marks;
    const Handover* given = nullptr;
    Handover* left = nullptr;

#define OPERATION(name, Name, FIELDS)                                                         \
    Name arguments_of(const hydra::Name& o) const { return {FIELDS workspace, given, left}; } \
    void operator()(const hydra::Name& o) const {                                             \
        const Name arguments = arguments_of(o);                                               \
        must(api, api.name(stream, &arguments));                                              \
    }
#define FIELD(field) view_of(o.field),
#define BUFFER(field, element, rows, columns) elements_of<element>(o.field),
#define OPTIONAL_BUFFER(field, element, rows, columns) BUFFER(field, element, rows, columns)
#include "program/operations.def"

    void operator()(const hydra::Mark& o) const {
        const Mark arguments{marks.on_device(marks.at<int64_t>() + o.index)};
        must(api, api.mark(stream, &arguments));
    }

    // Enqueues two operations that follow each other together, where there is a launcher for both.
    bool together(const Operation& first, const Operation& second) const {
        const auto* qkv = std::get_if<hydra::Qkv>(&first);
        const auto* append = std::get_if<hydra::AppendKv>(&second);
        if (qkv != nullptr && append != nullptr && appends(*append, *qkv)) {
            const Qkv arguments = arguments_of(*qkv);
            const AppendKv appended = arguments_of(*append);
            must(api, api.qkv_and_append(stream, &arguments, &appended));
            return true;
        }
        const auto* head = std::get_if<hydra::LmHead>(&first);
        const auto* select = std::get_if<hydra::Select>(&second);
        if (head != nullptr && select != nullptr && head->rows == select->rows && head->top == select->top &&
            head->selected_rows_only != 0 && select->sampling == nullptr && select->log_probabilities == nullptr) {
            const LmHead arguments = arguments_of(*head);
            const Select selection = arguments_of(*select);
            must(api, api.lm_head_and_select(stream, &arguments, &selection));
            return true;
        }
        const auto* judge = std::get_if<hydra::Judge>(&first);
        const auto* commit = std::get_if<hydra::Commit>(&second);
        if (judge != nullptr && commit != nullptr && judge->rows == commit->rows && judge->tree == commit->tree &&
            judge->selection == commit->selection) {
            const Commit arguments = arguments_of(*commit);
            must(api, api.judge_and_commit(stream, &arguments));
            return true;
        }
        return false;
    }
};

}  // namespace

CudaProgram::~CudaProgram() {
    if (runs > 0 && cuda.is_of_this_process()) {
        // Where this fails, so has the device, or the caller captures the stream after the program's end.
        if (cuda.api.require_not_captured(stream.handle) == HYDRA_OK) cuda.api.stream_wait(stream.handle);
        give_back(runs);
    }
    discard_graph();
}

void CudaProgram::discard_graph() {
    if (graph != nullptr && cuda.is_of_this_process()) cuda.api.graph_destroy(graph);
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
    add_once<const hydra_rows*>(changed_rows, rows);
    changes_state = true;
}

void CudaProgram::bring_back(hydra_batch& batch) {
    add_once(outputs, &batch.memory);
    changes_state = true;
}

void CudaProgram::use(const hydra_tree* tree) {
    if (tree != nullptr) add_once(inputs, const_cast<Mirror*>(&tree->memory));
}

void CudaProgram::use(const hydra_sampling* sampling) {
    if (sampling != nullptr) add_once(inputs, const_cast<Mirror*>(&sampling->memory));
}

void CudaProgram::use(hydra_tree* tree) {
    use(static_cast<const hydra_tree*>(tree));
    add_once(inputs, &tree->setting);
    changes_state = true;
}

void CudaProgram::use(const hydra_top* top) {
    if (top != nullptr) add_once(inputs, const_cast<Mirror*>(&top->memory));
}

void CudaProgram::use(hydra_top* top) {
    use(static_cast<const hydra_top*>(top));
    if (top != nullptr) add_once<const hydra_top*>(filled_tops, top);
}

void CudaProgram::add(const Operation& operation) {
    std::lock_guard<std::mutex> lock(mutex);
    HYDRA_REQUIRE(runs == 0, "the program is enqueued: await it before it records more");
    const size_t before[] = {inputs.size(), outputs.size(), changed_rows.size(), filled_tops.size()};
    try {
        note(operation);
    } catch (...) {
        // The handles of an operation that is not recorded may be gone when the program runs.
        inputs.resize(before[0]);
        outputs.resize(before[1]);
        changed_rows.resize(before[2]);
        filled_tops.resize(before[3]);
        throw;
    }
    discard_graph();
}

void CudaProgram::note(const Operation& operation) {
    WorkspaceNeed need;
    std::visit(
        [&](const auto& o) {
            each_field(o, [&](auto value, const char*, bool) {
                use(value);
                need.include(need_of(value));
            });
        },
        operation);
    if (const auto* attention = std::get_if<hydra::Attention>(&operation)) need.include(heads_of(*attention));
    if (const auto* commit = std::get_if<hydra::Commit>(&operation)) bring_back(*commit->rows->batch);
    stream.need.include(need);
}

void CudaProgram::record_on(Stream* target, void* workspace) {
    Launch launch{cuda.api, target, workspace, marks};
    const bool timed = times.size() > 2;
    if (timed) launch(hydra::Mark{0});
    // What one operation reads, the other one leaves.
    Handover handovers[2]{};
    int next = 0;
    for (size_t i = 0; i < operations.size(); ++i) {
        const bool has_next = i + 1 < operations.size();
        if (has_next && launch.together(operations[i], operations[i + 1])) {
            ++i;
            launch.given = nullptr;
            continue;
        }
        const bool leaves =
            has_next && hands_over(operations[i], operations[i + 1], stream.handover(next), &handovers[next]);
        launch.left = leaves ? &handovers[next] : nullptr;
        std::visit(launch, operations[i]);
        launch.given = launch.left;
        launch.left = nullptr;
        if (leaves) next = 1 - next;
    }
    launch.given = nullptr;
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
    for (const hydra_rows* rows : changed_rows) rows->stale = true;
    for (const hydra_top* top : filled_tops) top->stale = true;
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
