// Handles that own themselves, and the short ways in which tests make, fill and read them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "program/backend.h"
#include "program/program.h"
#include "program/rope.h"
#include "program/sequence.h"
#include "record.h"
#include "reference.h"

namespace hydra::test {

// Fails the test with the library's message.
inline void must(hydra_status status) {
    if (status != HYDRA_OK) throw std::runtime_error(hydra_error_message());
}

template <auto destroy>
struct Destroy {
    template <class T>
    void operator()(T* handle) const {
        destroy(handle);
    }
};

template <class T, auto destroy>
class Handle {
  public:
    Handle() = default;
    explicit Handle(T* handle) : handle_(handle) {}
    operator T*() const { return handle_.get(); }
    T* operator->() const { return handle_.get(); }

  private:
    std::unique_ptr<T, Destroy<destroy>> handle_;
};

using Backend = Handle<hydra_backend, hydra_backend_close>;
using Buffer = Handle<hydra_buffer, hydra_buffer_destroy>;
using Matrix = Handle<hydra_matrix, hydra_matrix_destroy>;
using Pool = Handle<hydra_kv_pool, hydra_kv_pool_destroy>;
using Stream = Handle<hydra_stream, hydra_stream_destroy>;
using Rope = Handle<hydra_rope, hydra_rope_destroy>;
using Batch = Handle<hydra_batch, hydra_batch_destroy>;
using Rows = Handle<hydra_rows, hydra_rows_destroy>;
using Tree = Handle<hydra_tree, hydra_tree_destroy>;
using Top = Handle<hydra_top, hydra_top_destroy>;
using Program = Handle<hydra_program, hydra_program_destroy>;

// The library whose CUDA backend is tested; null: the CPU's is.
inline const char* cuda_library() { return std::getenv("HYDRA4J_CUDA_LIBRARY"); }

// Whether that backend is the emulation, whose tests must be few: it takes a thousand times as long as the device.
inline bool emulated() { return cuda_library() != nullptr && std::strstr(cuda_library(), "emulated") != nullptr; }

// Ends a test of what only the CPU backend has.
#define SKIP_ON_CUDA()                                                          \
    do {                                                                        \
        if (cuda_library() != nullptr) GTEST_SKIP() << "for the CPU's backend"; \
    } while (0)

// On CUDA threads and instruction set mean nothing.
inline Backend open_backend(int threads = 1, const char* isa = "auto") {
    hydra_backend* out = nullptr;
    must(cuda_library() != nullptr ? hydra_backend_open_cuda(cuda_library(), 0, &out)
                                   : hydra_backend_open_cpu(threads, isa, &out));
    return Backend(out);
}

inline std::vector<std::string> instruction_sets() {
    std::vector<std::string> found;
    for (const char* isa : {"portable", "avx2", "avx512", "amx"}) {
        hydra_backend* out = nullptr;
        if (hydra_backend_open_cpu(1, isa, &out) == HYDRA_OK) found.push_back(isa);
        hydra_backend_close(out);
    }
    return found;
}

inline Buffer buffer(hydra_backend* backend, const void* contents, int64_t bytes) {
    hydra_buffer* out = nullptr;
    must(hydra_buffer_create(backend, bytes, &out));
    Buffer owned(out);
    must(hydra_buffer_write(out, 0, contents, bytes));
    return owned;
}

inline Buffer floats(hydra_backend* backend, const Floats& values) {
    return buffer(backend, values.data(), static_cast<int64_t>(values.size() * sizeof(float)));
}

constexpr int ROWS = 64;  // of most passes at most

// The rows of `values` followed by NaN up to max_rows rows: what lies after the rows of a pass must not matter.
inline Buffer padded_rows(hydra_backend* backend, Floats values, int64_t columns, int64_t max_rows = ROWS) {
    values.resize(static_cast<size_t>(max_rows * columns), NAN);
    return floats(backend, values);
}

// max_rows rows of NaN, for results.
inline Buffer poisoned(hydra_backend* backend, int64_t columns, int64_t max_rows = ROWS) {
    return padded_rows(backend, {}, columns, max_rows);
}

inline Floats contents(const hydra_buffer* buffer, int64_t count) {
    Floats values(static_cast<size_t>(count));
    if (count > 0) must(hydra_buffer_read(buffer, 0, values.data(), count * static_cast<int64_t>(sizeof(float))));
    return values;
}

// Whether everything after the first `count` floats is still NaN.
inline bool untouched_behind(const hydra_buffer* buffer, int64_t count) {
    const Floats all = contents(buffer, hydra_buffer_bytes(buffer) / 4);
    return std::all_of(all.begin() + count, all.end(), [](float value) { return std::isnan(value); });
}

inline Matrix matrix(hydra_backend* backend, hydra_type type, int64_t rows, int64_t columns, const Floats& values) {
    hydra_matrix* out = nullptr;
    must(hydra_matrix_create(backend, type, rows, columns, &out));
    Matrix owned(out);
    must(hydra_matrix_write(out, 0, rows, nullptr, HYDRA_F32, values.data(), rows * columns * 4));
    return owned;
}

// The values that the matrix really holds, after rounding to its type.
inline Floats values_of(const hydra_matrix* matrix) {
    const int64_t rows = hydra_matrix_rows(matrix), columns = hydra_matrix_columns(matrix);
    Floats values(static_cast<size_t>(rows * columns));
    for (int64_t r = 0; r < rows; ++r) must(hydra_matrix_read(matrix, r, values.data() + r * columns));
    return values;
}

// Relative error allowed to a product with weights of the type, beyond their own rounding: F32 products are chains of
// float32 additions, with the others the CPU rounds the activations to 8 bits, CUDA to 16, and with F16 to 22.
inline double tolerance(hydra_type type) {
    if (type == HYDRA_F32) return 2e-6;
    if (cuda_library() == nullptr) return 1.2e-2;
    return type == HYDRA_F16 ? 2e-6 : 4e-6;
}

inline Top top(hydra_backend* backend, int k, int max_rows = ROWS) {
    hydra_top* out = nullptr;
    must(hydra_top_create(backend, k, max_rows, &out));
    return Top(out);
}

// Makes the first entries of a top these ids, as an LM head would leave them.
inline void set_ids(hydra_top* top, const std::vector<int32_t>& ids) {
    top->fetch();
    std::copy(ids.begin(), ids.end(), top->ids);
    top->memory.change();
}

inline Pool pool(hydra_backend* backend, int layers, int kv_heads, int head_size, int pages,
                 hydra_type type = HYDRA_F32) {
    hydra_kv_pool* out = nullptr;
    must(hydra_kv_pool_create(backend, type, layers, kv_heads, head_size, pages, &out));
    return Pool(out);
}

inline Floats rope_frequencies(int head_size) {
    Floats frequencies;
    for (int i = 0; i < head_size / 2; ++i) frequencies.push_back(std::pow(10000.0f, -2.0f * i / head_size));
    return frequencies;
}

inline Rope rope(hydra_backend* backend, int head_size, int positions) {
    hydra_rope* out = nullptr;
    must(hydra_rope_create(backend, head_size, rope_frequencies(head_size).data(), 1, positions, &out));
    return Rope(out);
}

// A stream of the caller's.
inline Stream wrap(hydra_backend* backend, void* native) {
    hydra_stream* out = nullptr;
    must(hydra_stream_wrap(backend, native, &out));
    return Stream(out);
}

inline Rows rows(hydra_batch* batch, int max_rows = ROWS) {
    hydra_rows* out = nullptr;
    must(hydra_rows_create(batch, max_rows, &out));
    return Rows(out);
}

// Makes the first rows' tokens these.
inline void set_tokens(hydra_rows* rows, const std::vector<int32_t>& tokens) {
    std::copy(tokens.begin(), tokens.end(), rows->change().tokens);
}

// Makes the rows a chain of sequence 0 in slots from `first` on.
inline void set_chain(hydra_rows* rows, int32_t first, int32_t count) {
    const RowsView& view = rows->change();
    view.set_count(0);
    if (count > 0) view.add(0, first, count);
    for (int32_t i = 0; i < count; ++i) view.set_chain_row(i / HYDRA_MAX_NODES, i % HYDRA_MAX_NODES);
}

// Expects the refusal of an argument, with a message that has `part` in it.
inline void expect_refused(hydra_status status, const std::string& part) {
    EXPECT_EQ(status, HYDRA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(hydra_error_message()).find(part), std::string::npos)
        << "'" << hydra_error_message() << "' has no '" << part << "'";
}

constexpr int PAGES = 12;  // of each sequence of a Pass, and of pools made for one sequence

// Sequences over pages in mixed order, rows of them, and a program to record.
struct Pass {
    hydra_backend* backend;
    Batch batch;
    Rows rows;
    mutable std::vector<Buffer> selections;
    Program program;

    // `length` positions count as verified. Without pages the sequence has none.
    explicit Pass(hydra_backend* opened, int length = 0, bool with_pages = true)
        : Pass(opened, std::vector<int>{length}, ROWS, with_pages) {}

    // As many sequences as there are lengths. Their pages are of a pool of PAGES for each.
    Pass(hydra_backend* opened, const std::vector<int>& lengths, int max_rows, bool with_pages = true)
        : backend(opened) {
        const int sequences = static_cast<int>(lengths.size());
        hydra_batch* created = nullptr;
        must(hydra_batch_create(backend, sequences, PAGES, &created));
        batch = Batch(created);
        for (int s = 0; s < sequences; ++s) {
            std::vector<int32_t> table(PAGES);
            for (int i = 0; i < PAGES; ++i) table[i] = (i * 5 + 7) % PAGES * sequences + s;
            if (with_pages) must(hydra_batch_set_pages(batch, s, table.data(), PAGES));
            batch->change(s).result.length = lengths[s];
            batch->change(s).result.root = 0;
        }
        rows = test::rows(batch, max_rows);
        hydra_program* recorded = nullptr;
        must(hydra_program_create(backend, nullptr, &recorded));
        program = Program(recorded);
    }

    const hydra_step_result& result(int sequence = 0) const { return *hydra_batch_result(batch, sequence); }

    // Tokens of sequence 0.
    void chain(const std::vector<int32_t>& tokens) {
        const int32_t sequence = 0, count = static_cast<int32_t>(tokens.size());
        must(hydra_rows_set_chains(rows, &sequence, &count, 1, tokens.data(), nullptr));
    }
    void chain_of(int count) { chain(std::vector<int32_t>(count)); }
    // Tokens of all sequences, of some none.
    void chains(const std::vector<std::vector<int32_t>>& tokens) {
        std::vector<int32_t> sequences, counts, all;
        for (size_t s = 0; s < tokens.size(); ++s) {
            if (tokens[s].empty()) continue;
            sequences.push_back(static_cast<int32_t>(s));
            counts.push_back(static_cast<int32_t>(tokens[s].size()));
            all.insert(all.end(), tokens[s].begin(), tokens[s].end());
        }
        must(hydra_rows_set_chains(rows, sequences.data(), counts.data(), static_cast<int32_t>(sequences.size()),
                                   all.data(), nullptr));
    }
    void run() { must(hydra_program_run(program)); }
};

// The end of a pass: arguments as those of select, judge and commit.
struct PassEnd {
    const hydra_tree* tree;  // null for chains
    hydra_rows* rows;
    const hydra_top* best;  // null where no token is selected
    hydra_kv_pool* pool;
    const hydra_buffer* hidden;
    int64_t width;
    hydra_rows* uncommitted_rows;
    hydra_buffer* uncommitted;
    int32_t append;
};

// Records that the best tokens are selected, trees judged by them, and what is accepted committed.
inline hydra_status record_end(const Pass& pass, hydra_program* program, const PassEnd& end) {
    hydra_buffer* selection = nullptr;
    if (end.best != nullptr) {
        must(hydra_buffer_create(pass.backend, 4 * end.rows->max_rows, &selection));
        pass.selections.emplace_back(selection);
        const hydra_status status =
            record(program, hydra_select{end.rows, end.best, nullptr, 0, nullptr, selection, nullptr});
        if (status != HYDRA_OK) return status;
    }
    if (end.tree != nullptr) {
        const hydra_status status = record(program, hydra_judge{end.tree, end.rows, selection});
        if (status != HYDRA_OK) return status;
    }
    return record(program, hydra_commit{end.tree, end.rows, selection, end.pool, end.hidden, end.width,
                                        end.uncommitted_rows, end.uncommitted, end.append, nullptr});
}

// Runs on every instruction set with 1, 2 and 3 threads, on CUDA once more, and expects the same bits of all:
// run(backend) returns Floats.
template <class Run>
void expect_same_bits_everywhere(Run&& run) {
    const Floats expected = run(open_backend());
    if (cuda_library() != nullptr) {
        EXPECT_TRUE(same_bits(run(open_backend()), expected));
        return;
    }
    for (const std::string& isa : instruction_sets()) {
        for (int threads = 1; threads <= 3; ++threads) {
            EXPECT_TRUE(same_bits(run(open_backend(threads, isa.c_str())), expected)) << isa << ", " << threads;
        }
    }
}

}  // namespace hydra::test
