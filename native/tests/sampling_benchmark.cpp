// Time of selecting a token for 1 and 16 sequences: of the noise of a new position, and of the selection itself, by
// each way of selecting.
//
// Usage: sampling_benchmark [LIBRARY, of CUDA, or cpu] [THREADS] [PASSES]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "hydra4j/backend.h"
#include "record.h"

namespace hydra::test {
namespace {

void must(hydra_status status) {
    if (status == HYDRA_OK) return;
    std::fprintf(stderr, "%s\n", hydra_error_message());
    std::exit(1);
}

struct Way {
    const char* name;
    float temperature;
    int32_t top_k;
    float top_p, min_p, repetition;
};

constexpr Way WAYS[] = {
    {"greedy", 0, 0, 1, 0, 1},         {"temperature", 1, 0, 1, 0, 1},    {"top-k 40", 1, 40, 1, 0, 1},
    {"top-p 0.95", 1, 0, 0.95f, 0, 1}, {"min-p 0.05", 1, 0, 1, 0.05f, 1}, {"penalties", 1, 0, 1, 0, 1.1f},
};

// Microseconds, the median of all passes, of which each is at a new position: of preparing, and of selecting.
void measure(hydra_backend* backend, int32_t vocabulary, int32_t sequences, const Way& way, int passes) {
    constexpr int32_t PAGES = 64, HISTORY = 1000;
    hydra_batch* batch = nullptr;
    hydra_rows* rows = nullptr;
    hydra_top* top = nullptr;
    hydra_sampling* sampling = nullptr;
    hydra_buffer *logits = nullptr, *selection = nullptr;
    hydra_program *program = nullptr, *history = nullptr;
    must(hydra_batch_create(backend, sequences, PAGES, &batch));
    must(hydra_rows_create(batch, HISTORY * sequences <= HYDRA_MAX_ROWS ? HISTORY * sequences : HYDRA_MAX_ROWS, &rows));
    must(hydra_top_create(backend, 1, sequences, &top));
    must(hydra_sampling_create(batch, vocabulary, 4, &sampling));
    must(hydra_buffer_create(backend, int64_t{4} * vocabulary * sequences, &logits));
    must(hydra_buffer_create(backend, 4 * sequences, &selection));
    must(hydra_program_create(backend, nullptr, &program));
    must(hydra_program_create(backend, nullptr, &history));
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0, 2.5f);  // about as widely spread as a language model's
    std::vector<float> values(static_cast<size_t>(vocabulary) * sequences);
    for (float& value : values) value = normal(engine);
    must(hydra_buffer_write(logits, 0, values.data(), static_cast<int64_t>(values.size()) * 4));
    const hydra_sampling_options options{way.temperature, way.top_k, way.top_p, way.min_p, way.repetition, 0, 0, 1,
                                         nullptr,         nullptr,   0};
    must(hydra_sampling_set(sampling, -1, &options));
    must(record(history, hydra_commit{nullptr, rows, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0, sampling}));
    must(record(program, hydra_prepare_selection{rows, sampling}));
    must(hydra_program_mark(program));
    must(record(program, hydra_select{rows, top, logits, vocabulary, sampling, selection, nullptr}));
    must(hydra_program_mark(program));
    must(record(program, hydra_commit{nullptr, rows, selection, nullptr, nullptr, 0, nullptr, nullptr, 0, sampling}));
    std::vector<int32_t> numbers, counts, tokens;
    const auto step = [&](int32_t count) {
        counts.assign(static_cast<size_t>(sequences), count);
        tokens.assign(static_cast<size_t>(sequences) * count, 0);
        for (int32_t& token : tokens) token = static_cast<int32_t>(engine() % vocabulary);
        must(hydra_rows_set_chains(rows, numbers.data(), counts.data(), sequences, tokens.data(), nullptr));
    };
    for (int32_t s = 0; s < sequences; ++s) numbers.push_back(s);
    step(std::min(HISTORY, HYDRA_MAX_ROWS / sequences));
    must(hydra_program_run(history));
    std::vector<double> prepared, selected;
    for (int pass = 0; pass < passes; ++pass) {
        step(1);
        must(hydra_program_run(program));
        const int64_t* times = hydra_program_times(program);
        prepared.push_back(static_cast<double>(times[1] - times[0]) * 1e-3);
        selected.push_back(static_cast<double>(times[2] - times[1]) * 1e-3);
    }
    const auto median = [](std::vector<double>& all) {
        std::nth_element(all.begin(), all.begin() + static_cast<int64_t>(all.size()) / 2, all.end());
        return all[all.size() / 2];
    };
    std::printf("%6d tokens  %2d sequences  %-12s %8.1f us %8.1f us\n", vocabulary, sequences, way.name,
                median(prepared), median(selected));
    std::fflush(stdout);
    hydra_program_destroy(program);
    hydra_program_destroy(history);
    hydra_buffer_destroy(selection);
    hydra_buffer_destroy(logits);
    hydra_sampling_destroy(sampling);
    hydra_top_destroy(top);
    hydra_rows_destroy(rows);
    hydra_batch_destroy(batch);
}

}  // namespace
}  // namespace hydra::test

int main(int count, char** arguments) {
    const char* library = count > 1 ? arguments[1] : "cpu";
    const int threads = count > 2 ? std::atoi(arguments[2]) : 2, passes = count > 3 ? std::atoi(arguments[3]) : 200;
    hydra_backend* backend = nullptr;
    hydra::test::must(std::strcmp(library, "cpu") == 0 ? hydra_backend_open_cpu(threads, "auto", &backend)
                                                       : hydra_backend_open_cuda(library, 0, &backend));
    std::printf("%-39s %11s %11s\n", "", "preparing", "selecting");
    for (int32_t vocabulary : {8192, 49152}) {
        for (int32_t sequences : {1, 16}) {
            for (const hydra::test::Way& way : hydra::test::WAYS) {
                hydra::test::measure(backend, vocabulary, sequences, way, passes);
            }
        }
    }
    hydra_backend_close(backend);
    return 0;
}
