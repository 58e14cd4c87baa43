// Kernels and copies of a run, counted by hydra_program_launches (L layers of heads of 64, 96 or 128 values):
//                                                       a graph for all rows there is room for   for each bucket
//   plain step of one sequence, 2 marks                 6 L + 11, 2 copies back                  6 L + 7, none
//     of a model whose layers are tasks (tasks.cuh)                                              8, none
//   of a batch of 32 with room for trees of 64 nodes    80 L and more, 70 L of them without rows the same
//   a level of draft heads of one block                 5                                        4
//   another page for one of 256 sequences of 128k       4.2 MB                                   4 and 532 bytes
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

// Graphs that a program keeps.
constexpr size_t MOST_GRAPHS = 16;

// A graph serves runs of so many rows at most: the rows of kernels' variants, then whole waves of products.
int32_t bucket_of(int32_t rows, int32_t capacity) {
    int32_t bucket = 1;
    while (bucket < rows) bucket = bucket == 1 ? 8 : bucket < HANDOVER_ROWS ? 2 * bucket : bucket + HANDOVER_ROWS;
    return std::min(bucket, capacity);
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

// What an operation needs of the workspace.
hydra_limits need_of(const Operation& operation) {
    hydra_limits need{};
    std::visit(
        [&](const auto& o) {
            each_field(o, [&](auto value, const char*, bool) {
                using Field = decltype(value);
                if constexpr (std::is_convertible_v<Field, const hydra_matrix*>) {
                    if (value == nullptr) return;
                    need.matrix_rows = std::max(need.matrix_rows, value->rows);
                    need.matrix_columns = std::max(need.matrix_columns, value->columns);
                } else if constexpr (std::is_convertible_v<Field, const hydra_rows*>) {
                    if (value != nullptr) need.rows = std::max(need.rows, value->max_rows);
                }
            });
        },
        operation);
    if (const auto* attention = std::get_if<hydra::Attention>(&operation)) {
        need.heads = attention->heads;
        need.head_size = attention->pool->head_size;
        need.positions = static_cast<int32_t>(attention->rows->batch->capacity());
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

// Rows of a run, of which a graph is made for the buckets.
class RowBuckets {
  public:
    explicit RowBuckets(const std::vector<const hydra_rows*>& found) {
        for (const hydra_rows* rows : found) live_.find(rows);
    }
    void set(const Operation& operation) { live_.set(operation); }
    int32_t exactly(const hydra_rows* rows) const { return live_.of(rows); }
    int32_t of(const hydra_rows* rows) const { return bucket_of(live_.of(rows), rows->max_rows); }

  private:
    LiveRows live_;
};

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
bool hands_over(const Operation& from, const Operation& to, const RowBuckets& rows, void* memory, Handover* out) {
    const ProductRows written = std::visit(RowsWritten{}, from), read = std::visit(RowsRead{}, to);
    if (written.rows == nullptr || written.rows != read.rows || written.buffer != read.buffer ||
        written.columns != read.columns || written.columns % HANDOVER_COLUMNS != 0 ||
        rows.of(written.rows) > HANDOVER_ROWS) {
        return false;
    }
    for (const hydra_type type : read.types) {
        if (!read_alike(type, read.types.front())) return false;
    }
    *out = {memory, read.types.front(), elements_of<float>(read.norm)};
    return true;
}

// What an operation's launcher takes.
template <class Operation>
struct LaunchedAs;
#define OPERATION(name, Name, FIELDS) \
    template <>                       \
    struct LaunchedAs<hydra::Name> {  \
        using type = Name;            \
    };
#include "program/operations.def"
template <>
struct LaunchedAs<hydra::Mark> {
    using type = Mark;
};

// An operation of a run, and the mark before it; -1: none.
struct Step {
    const Operation* operation;
    size_t index;  // of all that are recorded
    int32_t mark;

    template <class O>
    const O* as() const {
        return std::get_if<O>(operation);
    }
};

// Whether operations that follow each other have a launcher for both: the mark of the second one must be none.
bool are_one(const hydra::Qkv* qkv, const hydra::AppendKv* append) {
    return qkv != nullptr && append != nullptr && appends(*append, *qkv);
}
bool are_one(const hydra::LmHead* head, const hydra::Select* select) {
    return head != nullptr && select != nullptr && head->rows == select->rows && head->top == select->top &&
           head->selected_rows_only != 0 && select->sampling == nullptr && select->log_probabilities == nullptr;
}
bool are_one(const hydra::Judge* judge, const hydra::Commit* commit) {
    return judge != nullptr && commit != nullptr && judge->rows == commit->rows && judge->tree == commit->tree &&
           judge->selection == commit->selection;
}

// Whether an operation that finds candidates gives them to nodes, and whether draft tokens are those of the next level.
bool are_one(const hydra::LmHead* head, const hydra::DraftTokens* tokens) {
    return head != nullptr && tokens != nullptr && head->top == tokens->top && head->selected_rows_only == 0;
}
bool are_one(const hydra::Rank* rank, const hydra::DraftTokens* tokens) {
    return rank != nullptr && tokens != nullptr && rank->top == tokens->top;
}
bool are_one(const hydra::DraftTokens* tokens, const hydra::DraftTokens* next) {
    return tokens != nullptr && next != nullptr && tokens->tree == next->tree && tokens->nodes == next->nodes &&
           tokens->top == next->top && tokens->group >= 0 && next->group == tokens->group + 1 &&
           next->level == tokens->level + 1;
}

// Enqueues each operation.
struct Launch {
    const DeviceApi& api;
    Stream* stream;
    void* workspace;
    const RowBuckets& rows;
    const Handover* given = nullptr;
    Handover* left = nullptr;
    Notes notes{};

    // What a field is on the device; of rows those of the run.
    template <class Field>
    auto seen(Field value) const {
        auto view = view_of(value);
        if constexpr (std::is_convertible_v<Field, const hydra_rows*>) {
            if (value != nullptr) view.max_rows = rows.of(value);
        }
        return view;
    }

#define OPERATION(name, Name, FIELDS)                                                                \
    Name arguments_of(const hydra::Name& o) const { return {FIELDS workspace, given, left, notes}; } \
    void operator()(const hydra::Name& o) const {                                                    \
        const Name arguments = arguments_of(o);                                                      \
        must(api, api.name(stream, &arguments));                                                     \
    }
#define FIELD(field) seen(o.field),
#define BUFFER(field, element, rows, columns) elements_of<element>(o.field),
#define OPTIONAL_BUFFER(field, element, rows, columns) BUFFER(field, element, rows, columns)
#include "program/operations.def"

    void operator()(const hydra::Mark&) const {}

    // Enqueues what is one with the operations that follow, so many in all.
    void together(const Step& first, const Step& second, size_t count) const {
        const auto levels = static_cast<int32_t>(count) - 1;
        if (const auto* qkv = first.as<hydra::Qkv>()) {
            const Qkv arguments = arguments_of(*qkv);
            const AppendKv appended = arguments_of(*second.as<hydra::AppendKv>());
            must(api, api.qkv_and_append(stream, &arguments, &appended));
        } else if (const auto* rank = first.as<hydra::Rank>()) {
            const Rank arguments = arguments_of(*rank);
            const DraftTokens tokens = arguments_of(*second.as<hydra::DraftTokens>());
            must(api, api.rank_and_draft_tokens(stream, &arguments, &tokens, levels));
        } else if (first.as<hydra::Judge>() != nullptr) {
            const Commit arguments = arguments_of(*second.as<hydra::Commit>());
            must(api, api.judge_and_commit(stream, &arguments));
        } else if (const auto* select = second.as<hydra::Select>()) {
            const LmHead arguments = arguments_of(*first.as<hydra::LmHead>());
            const Select selection = arguments_of(*select);
            must(api, api.lm_head_and_select(stream, &arguments, &selection));
        } else {
            const LmHead arguments = arguments_of(*first.as<hydra::LmHead>());
            const DraftTokens tokens = arguments_of(*second.as<hydra::DraftTokens>());
            must(api, api.lm_head_and_draft_tokens(stream, &arguments, &tokens, levels));
        }
    }
};

// The operations of a run in order, and where its marks are told: by the operation before or behind them, where that
// can, or by a kernel of their own. Marks between the same two operations are one.
class Steps {
  public:
    // slots: [marks] where each is told.
    Steps(const std::vector<Operation>& operations, std::vector<int32_t>& slots) {
        int32_t waiting = -1;
        const auto mark = [&](int32_t index) {
            if (waiting < 0) waiting = index;
            slots[static_cast<size_t>(index)] = waiting;
        };
        const bool marked = slots.size() > 2;
        if (marked) mark(0);
        for (size_t i = 0; i < operations.size(); ++i) {
            if (const auto* one = std::get_if<hydra::Mark>(&operations[i])) {
                mark(one->index);
                continue;
            }
            all_.push_back({&operations[i], i, waiting});
            waiting = -1;
        }
        if (marked) mark(static_cast<int32_t>(slots.size()) - 1);
        last_mark_ = waiting;
    }

    size_t count() const { return all_.size(); }
    const Step& operator[](size_t i) const { return all_[i]; }

    // How many are launched together, from this one on.
    size_t together(size_t i) const {
        if (!follow<hydra::Qkv, hydra::AppendKv>(i) && !follow<hydra::LmHead, hydra::Select>(i) &&
            !follow<hydra::Judge, hydra::Commit>(i) && !follow<hydra::LmHead, hydra::DraftTokens>(i) &&
            !follow<hydra::Rank, hydra::DraftTokens>(i)) {
            return 1;
        }
        size_t last = i + 1;
        while (follow<hydra::DraftTokens, hydra::DraftTokens>(last)) ++last;
        return last - i + 1;
    }
    int32_t mark_before(size_t i) const { return i < all_.size() ? all_[i].mark : last_mark_; }
    // Whether the mark before an operation is told by it, as it begins, and by the one before that, as it ends.
    bool told_by_next(size_t i) const {
        return i < all_.size() && tells<true>(*all_[follow<hydra::Judge, hydra::Commit>(i) ? i + 1 : i].operation);
    }
    bool told_by_last(size_t i) const {
        return i > 0 && i <= all_.size() && !told_by_next(i) && tells<false>(*all_[i - 1].operation);
    }

  private:
    // Whether this operation and the next one are these, and can be one: then no mark may be between them.
    template <class First, class Second>
    bool follow(size_t i) const {
        return i + 1 < all_.size() && all_[i + 1].mark < 0 && are_one(all_[i].as<First>(), all_[i + 1].as<Second>());
    }
    template <bool begin>
    static bool tells(const Operation& operation) {
        return std::visit(
            [](const auto& o) {
                using O = typename LaunchedAs<std::decay_t<decltype(o)>>::type;
                return begin ? tells_begin<O> : tells_end<O>;
            },
            operation);
    }

    std::vector<Step> all_;
    int32_t last_mark_;
};

}  // namespace

CudaProgram::~CudaProgram() {
    if (runs > 0 && cuda.is_of_this_process()) {
        // Where this fails, so has the device, or the caller captures the stream after the program's end.
        if (cuda.api.require_not_captured(stream.handle) == HYDRA_OK &&
            cuda.api.stream_wait(stream.handle) == HYDRA_OK) {
            take_results(0);
        }
        give_back(runs);
    }
    discard_graphs();
}

void CudaProgram::discard_graphs() {
    for (const Captured& one : graphs) {
        if (cuda.is_of_this_process()) cuda.api.graph_destroy(one.graph);
    }
    graphs.clear();
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
    const size_t before[] = {inputs.size(), changed_rows.size(), filled_tops.size(), found_rows.size(), setters.size()};
    try {
        note(operation);
    } catch (...) {
        // The handles of an operation that is not recorded may be gone when the program runs.
        inputs.resize(before[0]);
        changed_rows.resize(before[1]);
        filled_tops.resize(before[2]);
        found_rows.resize(before[3]);
        setters.resize(before[4]);
        throw;
    }
    discard_graphs();
}

void CudaProgram::note(const Operation& operation) {
    const hydra_rows* own = rows_set_by(operation);
    const auto is_set = [&](const hydra_rows* rows) {
        return std::any_of(setters.begin(), setters.end(),
                           [&](size_t setter) { return rows_set_by(operations[setter]) == rows; });
    };
    const auto find = [&](const hydra_rows* rows) {
        if (rows != nullptr && !is_set(rows) && !(rows == own && sets_anew(operation))) add_once(found_rows, rows);
    };
    std::visit(
        [&](const auto& o) {
            each_field(o, [&](auto value, const char*, bool) {
                use(value);
                if constexpr (std::is_convertible_v<decltype(value), const hydra_rows*>) find(value);
            });
        },
        operation);
    if (own != nullptr || std::holds_alternative<hydra::Commit>(operation)) setters.push_back(operations.size() - 1);
    stream.include(need_of(operation));
}

void CudaProgram::record_on(Stream* target, void* workspace) {
    RowBuckets rows(found_rows);
    auto next_setter = setters.begin();
    const auto set_rows = [&](size_t operation) {
        if (next_setter == setters.end() || *next_setter != operation) return;
        rows.set(operations[operation]);
        ++next_setter;
    };
    const Steps steps(operations, mark_slots);
    const auto time_of = [&](int32_t mark) {
        return mark < 0 ? nullptr : reinterpret_cast<int64_t*>(mark_times.get()) + mark;
    };
    const auto mark_alone = [&](size_t i) {
        if (steps.mark_before(i) < 0 || steps.told_by_next(i) || steps.told_by_last(i)) return;
        const Mark arguments{time_of(steps.mark_before(i))};
        must(cuda.api, cuda.api.mark(target, &arguments));
    };
    Launch launch{cuda.api, target, workspace, rows};
    // What one operation reads, the other one leaves.
    Handover handovers[2]{};
    int next = 0;
    for (size_t i = 0; i < steps.count(); ++i) {
        mark_alone(i);
        const Step& step = steps[i];
        const size_t count = steps.together(i), after = i + count;
        for (size_t j = i; j < after; ++j) set_rows(steps[j].index);
        launch.notes = {};
        if (steps.told_by_next(i)) launch.notes.begin = time_of(steps.mark_before(i));
        if (steps.told_by_last(after)) launch.notes.end = time_of(steps.mark_before(after));
        if (const auto* commit = steps[after - 1].as<hydra::Commit>()) {
            const Mirror& telling = commit->rows->batch->telling;
            launch.notes.results = telling.at<hydra_step_result>();
            launch.notes.told = reinterpret_cast<int64_t*>(telling.device.get());
        }
        if (count > 1) {
            launch.together(step, steps[i + 1], count);
            launch.given = nullptr;
            i = after - 1;
            continue;
        }
        const bool leaves = after < steps.count() && hands_over(*step.operation, *steps[after].operation, rows,
                                                                stream.handover(next), &handovers[next]);
        launch.left = leaves ? &handovers[next] : nullptr;
        std::visit(launch, *step.operation);
        launch.given = launch.left;
        launch.left = nullptr;
        if (leaves) next = 1 - next;
    }
    mark_alone(steps.count());
}

void CudaProgram::find_rows() {
    rows_of_run.clear();
    rows_left.clear();
    RowBuckets rows(found_rows);
    for (const hydra_rows* found : found_rows) rows_of_run.push_back(rows.of(found));
    for (const size_t setter : setters) {
        rows.set(operations[setter]);
        const hydra_rows* own = rows_set_by(operations[setter]);
        if (own != nullptr) rows_of_run.push_back(rows.of(own));
    }
    for (const hydra_rows* changed : changed_rows) rows_left.emplace_back(changed, rows.exactly(changed));
}

CudaProgram::Captured CudaProgram::capture(void* workspace) {
    mark_slots.resize(times.size());
    if (times.size() > 2 && graphs.empty())
        mark_times = cuda.pinned(static_cast<int64_t>(times.size() * sizeof(int64_t)));
    Captured out{rows_of_run, nullptr, 0, 0, 0};
    std::lock_guard<std::mutex> lock(cuda.mutex);
    Stream* target = cuda.capturing->handle;
    must(cuda.api, cuda.api.capture_begin(target));
    try {
        record_on(target, workspace);
    } catch (...) {
        // The stream must leave its capture, whatever has become of it.
        Graph* partial = nullptr;
        if (cuda.api.capture_end(target, &partial, &out.kernels, &out.copies) == HYDRA_OK) {
            cuda.api.graph_destroy(partial);
        }
        throw;
    }
    must(cuda.api, cuda.api.capture_end(target, &out.graph, &out.kernels, &out.copies));
    return out;
}

const CudaProgram::Captured& CudaProgram::graph_for(void* workspace) {
    // Read first: a table that moves meanwhile is captured again.
    const int64_t tables = cuda.moved_tables;
    if (workspace != graphs_workspace || graphs_tables != tables) {
        // One may be enqueued still, which tells its times to where those of the next ones go.
        if (runs > 1 && !graphs.empty()) must(cuda.api, cuda.api.stream_wait(stream.handle));
        discard_graphs();
    }
    graphs_workspace = workspace;
    graphs_tables = tables;
    find_rows();
    auto found =
        std::find_if(graphs.begin(), graphs.end(), [&](const Captured& one) { return one.rows == rows_of_run; });
    if (found == graphs.end()) {
        if (graphs.size() == MOST_GRAPHS) discard_oldest_graph();
        graphs.reserve(graphs.size() + 1);
        graphs.push_back(capture(workspace));
        found = graphs.end() - 1;
    }
    found->used = ++launches;
    return *found;
}

void CudaProgram::discard_oldest_graph() {
    const auto oldest = std::min_element(graphs.begin(), graphs.end(),
                                         [](const Captured& a, const Captured& b) { return a.used < b.used; });
    // It may be enqueued still.
    if (runs > 1) must(cuda.api, cuda.api.stream_wait(stream.handle));
    cuda.api.graph_destroy(oldest->graph);
    graphs.erase(oldest);
}

void CudaProgram::claim() {
    std::lock_guard<std::mutex> lock(cuda.mutex);
    for (const Mirror* state : inputs) {
        if (state->enqueued == 0) continue;
        HYDRA_REQUIRE(state->stream == &stream,
                      "a program of another stream that uses the same state is enqueued: "
                      "await it first, or use one stream");
        HYDRA_REQUIRE(!state->changing || (changes_state && runs > 0),
                      "an enqueued program changes the state that this one reads: await it first");
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
        state->changing = state->changing && (runs > 0 || !changes_state);
    }
}

void CudaProgram::launch() {
    begun = now();
    if (operations.empty()) return;
    must(cuda.api, cuda.api.require_not_captured(stream.handle));
    const Captured& run = graph_for(stream.prepare_workspace());
    if (changes_state && runs > 1) must(cuda.api, cuda.api.stream_note(stream.handle));
    launched = {run.kernels, run.copies, 0};
    for (Mirror* state : inputs) {
        for (const Mirror::Range& range : state->changed) {
            const int64_t bytes = range.end - range.begin;
            must(cuda.api, cuda.api.enqueue_copy_in(stream.handle, state->device.get() + range.begin,
                                                    state->host.get() + range.begin, bytes));
            ++launched.copies;
            launched.copied_bytes += bytes;
        }
        state->changed.clear();
    }
    must(cuda.api, cuda.api.graph_launch(run.graph, stream.handle));
    for (const auto& [rows, most] : rows_left) {
        rows->most = most;
        rows->stale = true;
    }
    for (const auto& [batch, commits] : ends) batch->commits += commits;
}

void CudaProgram::take_results(int32_t later) {
    for (const auto& [batch, commits] : ends) batch->take_results(batch->commits - 1 - later * commits);
}

void CudaProgram::await_first() {
    if (!changes_state || runs < 2) return await();
    must(cuda.api, cuda.api.require_not_captured(stream.handle));
    const hydra_status status = cuda.api.stream_wait_noted(stream.handle);
    const bool failed = status != HYDRA_OK;
    give_back(failed ? runs : 1);
    must(cuda.api, status);
    take_results(1);
}

void CudaProgram::await() {
    if (runs == 0) return;
    must(cuda.api, cuda.api.require_not_captured(stream.handle));
    const hydra_status status = cuda.api.stream_wait(stream.handle);
    give_back(runs);
    must(cuda.api, status);
    take_results(0);
    for (const hydra_top* top : filled_tops) top->stale = true;
    place_marks(begun, now());
}

// The device's clock is not the host's: its marks are moved so that the last one is the end that the host saw. What the
// launch took lies before the first operation.
void CudaProgram::place_marks(int64_t begin, int64_t end) {
    times.front() = begin;
    const size_t last = times.size() - 1;
    const auto* device_times = reinterpret_cast<const int64_t*>(mark_times.get());
    const auto time_of = [&](size_t mark) { return device_times[mark_slots[mark]]; };
    for (size_t i = 1; i < last; ++i) times[i] = std::clamp(end - (time_of(last) - time_of(i)), times[i - 1], end);
    times.back() = end;
}

}  // namespace hydra::cuda
