#include "program/program.h"

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "program/backend.h"
#include "program/error.h"
#include "program/sequence.h"
#include "program/stream.h"

using hydra::guarded;

int64_t hydra::now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

namespace {

template <class All, class One>
bool has(const All& all, const One& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

// Notes which rows an operation places, in its pool or by committing them, and which it changes.
template <class O>
void note_rows(hydra_program& program, const O& operation) {
    const auto place = [&](const hydra_rows* rows, std::vector<const hydra_rows*>& among) {
        if (!has(program.changed, rows) && !has(among, rows)) among.push_back(rows);
    };
    if constexpr (std::is_same_v<O, hydra::Commit>) {
        place(operation.rows, program.committed);
        const auto end = std::find_if(program.ends.begin(), program.ends.end(),
                                      [&](const auto& one) { return one.first == operation.rows->batch; });
        if (end == program.ends.end()) {
            program.ends.emplace_back(operation.rows->batch, 1);
        } else {
            ++end->second;
        }
        program.changes_state = true;
    }
    hydra::each_field(operation, [&](auto value, const char*, bool) {
        if constexpr (std::is_convertible_v<decltype(value), const hydra_rows*>) {
            if (value != nullptr && !has(program.used, value)) program.used.push_back(value);
        }
        // What has a pool has rows.
        if constexpr (std::is_convertible_v<decltype(value), const hydra_kv_pool*>) {
            if (value == nullptr) return;
            place(operation.rows, program.unchanged);
            const std::pair<const hydra_rows*, const hydra_kv_pool*> entry{operation.rows, value};
            if (!has(program.placed, entry)) program.placed.push_back(entry);
        }
    });
    hydra::each_field(operation, [&](auto value, const char*, bool) {
        if constexpr (std::is_same_v<decltype(value), hydra_rows*>) {
            if (value != nullptr) program.changed.push_back(value);
        }
        if constexpr (std::is_same_v<decltype(value), hydra_rows*> || std::is_same_v<decltype(value), hydra_tree*>) {
            program.changes_state = program.changes_state || value != nullptr;
        }
    });
}

}  // namespace

void hydra_program::record(const hydra::Operation& operation) {
    backend->require_own_process();
    const size_t before[] = {placed.size(), changed.size(), unchanged.size(), committed.size(), used.size()};
    const auto ends_before = ends;
    const bool changed_state = changes_state;
    operations.push_back(operation);
    try {
        std::visit([&](const auto& one) { note_rows(*this, one); }, operation);
        add(operation);
    } catch (...) {
        operations.pop_back();
        placed.resize(before[0]);
        changed.resize(before[1]);
        unchanged.resize(before[2]);
        committed.resize(before[3]);
        used.resize(before[4]);
        ends = ends_before;
        changes_state = changed_state;
        throw;
    }
}

void hydra_program::enqueue() {
    const bool again = changes_state && runs > 0;
    if (again) {
        require_repeatable();
        if (postpone()) return;
    }
    start(again);
}

void hydra_program::require_repeatable() const {
    HYDRA_REQUIRE(runs < hydra::TOLD_RUNS, "the program is enqueued twice: await its first run first");
    for (const hydra_rows* rows : used) {
        HYDRA_REQUIRE(!rows->set_by_host || rows->view.active_segments() == 0,
                      "the program is enqueued and takes in chains that were set: await it first, and set others");
    }
    for (const auto& [batch, commits] : ends) {
        HYDRA_REQUIRE(commits == 1, "the program is enqueued and commits a batch %d times: await it first", commits);
    }
}

void hydra_program::start(bool again) {
    claim();
    try {
        if (!again) check_states();
        launch();
    } catch (...) {
        drop();
        throw;
    }
}

void hydra_program::check_states() {
    for (const hydra::Operation& operation : operations) hydra::check_state(operation);
    for (const auto& [rows, pool] : placed) rows->require_pages(*pool);
    for (const hydra_rows* rows : unchanged) rows->require_current(true);
    for (const hydra_rows* rows : committed) rows->require_current(false);
    for (hydra_rows* rows : changed) rows->set_by_host = false;
}

hydra_top::hydra_top(hydra_backend* owner, int32_t its_k, int32_t most_rows)
    : backend(owner), k(its_k), max_rows(most_rows), memory(owner->mirror(int64_t{most_rows} * its_k * 8)) {
    ids = memory.at<int32_t>();
    values = memory.at<float>(int64_t{most_rows} * its_k * 4);
}

void hydra_top::fetch() const {
    if (!stale) return;
    backend->copy_out(memory.host.get(), memory.device.get(), memory.bytes);
    stale = false;
}

hydra_status hydra_program_create(hydra_backend* backend, hydra_stream* stream, hydra_program** out) {
    return guarded("hydra_program_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(stream == nullptr || stream->backend == backend, "the stream belongs to another backend");
        *out = backend->program(stream).release();
    });
}

void hydra_program_destroy(hydra_program* program) { delete program; }

hydra_status hydra_program_run(hydra_program* program) {
    return guarded("hydra_program_run", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->backend->require_own_process();
        std::lock_guard<std::mutex> lock(program->mutex);
        program->enqueue();
        program->await();
    });
}

hydra_status hydra_program_enqueue(hydra_program* program) {
    return guarded("hydra_program_enqueue", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->backend->require_own_process();
        std::lock_guard<std::mutex> lock(program->mutex);
        program->enqueue();
    });
}

hydra_status hydra_program_await(hydra_program* program) {
    return guarded("hydra_program_await", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->backend->require_own_process();
        std::lock_guard<std::mutex> lock(program->mutex);
        program->await();
    });
}

hydra_status hydra_program_await_first(hydra_program* program) {
    return guarded("hydra_program_await_first", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->backend->require_own_process();
        std::lock_guard<std::mutex> lock(program->mutex);
        program->await_first();
    });
}

hydra_status hydra_program_mark(hydra_program* program) {
    return guarded("hydra_program_mark", [&] {
        HYDRA_REQUIRE(program != nullptr, "program is null");
        program->times.reserve(program->times.size() + 1);
        program->record(hydra::Mark{static_cast<int32_t>(program->times.size() - 1)});
        program->times.push_back(0);
    });
}

int32_t hydra_program_marks(const hydra_program* program) {
    return program == nullptr ? 0 : static_cast<int32_t>(program->times.size());
}

const int64_t* hydra_program_times(const hydra_program* program) {
    return program == nullptr ? nullptr : program->times.data();
}

hydra_status hydra_program_launches(const hydra_program* program, hydra_launches* out) {
    return guarded("hydra_program_launches", [&] {
        HYDRA_REQUIRE(program != nullptr && out != nullptr, "program or out is null");
        *out = program->launched;
    });
}

hydra_status hydra_top_create(hydra_backend* backend, int32_t k, int32_t max_rows, hydra_top** out) {
    return guarded("hydra_top_create", [&] {
        HYDRA_REQUIRE(backend != nullptr && out != nullptr, "backend or out is null");
        HYDRA_REQUIRE(k >= 1 && k <= HYDRA_MAX_TOP, "k is %d, must be from 1 to %d", k, HYDRA_MAX_TOP);
        HYDRA_REQUIRE(max_rows >= 1 && max_rows <= HYDRA_MAX_ROWS, "max_rows is %d, must be from 1 to %d", max_rows,
                      HYDRA_MAX_ROWS);
        *out = new hydra_top(backend, k, max_rows);
    });
}

void hydra_top_destroy(hydra_top* top) { delete top; }

const int32_t* hydra_top_ids(const hydra_top* top) {
    const bool there = guarded("hydra_top_ids", [&] {
                           HYDRA_REQUIRE(top != nullptr, "top is null");
                           top->fetch();
                       }) == HYDRA_OK;
    return there ? top->ids : nullptr;
}

const float* hydra_top_values(const hydra_top* top) { return hydra_top_ids(top) == nullptr ? nullptr : top->values; }
