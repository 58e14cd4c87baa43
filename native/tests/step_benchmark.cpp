// Time of every operation and of whole steps of a model's shape with random weights, for growing numbers of rows,
// beside the time that its weights and keys and values take at the device's stream rate (floor); on a CPU with AVX-512
// VNNI or AVX2 also beside the least time that arithmetic leaves (limit, see Work), and how near the figures are to it.
//
// Usage: step_benchmark cpu[:THREADS]|LIBRARY MODEL TYPE [CONTEXT] [REPEATS] [SEQUENCES] [tables]
//        step_benchmark cpu[:THREADS] MODEL TYPE CONTEXT REPEATS beside [NEIGHBOURS]
//        step_benchmark expected MODEL TYPE [CONTEXT]   what is expected on an H100 (cost_model.h), without a device
// LIBRARY is the path of libhydra4j_cuda.so, MODEL one of tiny, 19m, 135m, 1b, 7b, 8b, TYPE one of f32, f16, bf16,
// q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, r8, or q4_k_m, a mix such as files have: Q4_K with the LM head and
// every other layer's value and down projections in Q6_K. Times are medians, in microseconds. Whole steps go on from
// one to the next; what random weights guess is hardly ever accepted, so tokens per second are for real models to tell.
// With `beside`, other processes keep so many cores busy (one, if left out), and what they do to whole steps is shown:
// see Neighbours.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cost_model.h"
#include "record.h"
#include "vector_rate.h"

using hydra::test::record;

namespace {

constexpr float EPSILON = 1e-5f;
constexpr int ROWS[] = {1, 2, 4, 8, 16, 32, 64};
constexpr int BESIDE_ROWS[] = {1, 8, 16};
constexpr int HEADS = 4, CANDIDATES = 10;  // of Hydra++: draft heads, and how many guesses of a parent they keep

struct Model {
    const char* name;
    int hidden, inner, layers, heads, kv_heads, head_size, vocabulary;
};

const Model MODELS[] = {
    {"tiny", 64, 128, 2, 4, 2, 16, 256},         {"19m", 384, 1024, 10, 6, 2, 64, 8192},
    {"135m", 576, 1536, 30, 9, 3, 64, 49152},    {"1b", 2048, 8192, 16, 32, 8, 64, 128256},
    {"7b", 4096, 11008, 32, 32, 32, 128, 32000}, {"8b", 4096, 14336, 32, 32, 8, 128, 128256},
};

struct Type {
    const char* name;
    hydra_type type;
    int values, bytes;  // of a block
    // Of a mix: the type of the LM head, and of value and down projections in every other layer, of blocks alike.
    hydra_type wide = HYDRA_F32;
    int wide_bytes = 0;  // 0: no mix
};

const Type TYPES[] = {
    {"f32", HYDRA_F32, 1, 4},       {"f16", HYDRA_F16, 1, 2},       {"bf16", HYDRA_BF16, 1, 2},
    {"q8_0", HYDRA_Q8_0, 32, 34},   {"q4_0", HYDRA_Q4_0, 32, 18},   {"q4_1", HYDRA_Q4_1, 32, 20},
    {"q5_0", HYDRA_Q5_0, 32, 22},   {"q5_1", HYDRA_Q5_1, 32, 24},   {"q4_k", HYDRA_Q4_K, 256, 144},
    {"q5_k", HYDRA_Q5_K, 256, 176}, {"q6_k", HYDRA_Q6_K, 256, 210}, {"q4_k_m", HYDRA_Q4_K, 256, 144, HYDRA_Q6_K, 210},
    {"r8", HYDRA_R8, 1, 1}};

// Microseconds of a monotonic clock.
double now() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void must(hydra_status status) {
    if (status == HYDRA_OK) return;
    std::fprintf(stderr, "%s\n", hydra_error_message());
    std::exit(1);
}

// A handle of the library, made by its create function and destroyed with the process.
template <class T, class... Parameters, class... Arguments>
T* made(hydra_status (*create)(Parameters...), Arguments... arguments) {
    T* handle = nullptr;
    must(create(arguments..., &handle));
    return handle;
}

// Processes of this one's priority that keep a core each busy, the last ones that it may use, until destroyed. They
// stay there; threads of this process go where the system sends them.
class Neighbours {
  public:
    explicit Neighbours(int count) {
        cpu_set_t allowed;
        sched_getaffinity(0, sizeof allowed, &allowed);
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && static_cast<int>(processes.size()) < count; --cpu) {
            if (CPU_ISSET(cpu, &allowed)) processes.push_back(start(cpu));
        }
    }
    ~Neighbours() {
        for (pid_t process : processes) {
            kill(process, SIGKILL);
            waitpid(process, nullptr, 0);
        }
    }
    Neighbours(const Neighbours&) = delete;
    Neighbours& operator=(const Neighbours&) = delete;

  private:
    static pid_t start(int cpu) {
        const pid_t process = fork();
        if (process != 0) return process;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        cpu_set_t own;
        CPU_ZERO(&own);
        CPU_SET(cpu, &own);
        sched_setaffinity(0, sizeof own, &own);
        for (volatile bool busy = true; busy;) continue;
        _exit(0);
    }

    std::vector<pid_t> processes;
};

double bytes_of(const Type& type, int64_t rows, int64_t columns) {
    return static_cast<double>(rows * ((columns + type.values - 1) / type.values) * type.bytes);
}

// What a pass of a model's shape is expected to take on a card, in seconds, for so many rows of one sequence.
struct Expected {
    const hydra::test::Card& card;
    const Model& model;
    const Type& type;
    int context;

    // Whether one kernel does the layers as tasks (tasks.cuh, product.cuh).
    bool has_tasks(int rows) const {
        using hydra::test::LARGE_VALUES;
        const hydra_type known[] = {HYDRA_F16, HYDRA_BF16, HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1};
        const double largest = std::max({2 * model.inner, (model.heads + 2 * model.kv_heads) * model.head_size});
        return std::find(std::begin(known), std::end(known), type.type) != std::end(known) && model.head_size == 64 &&
               largest * model.hidden < LARGE_VALUES && rows <= hydra::test::MOST_TASK_ROWS;
    }

    // Within a pass, where the operation before has left its rows ready.
    double product(int64_t outputs, int64_t columns, int rows, int matrices = 1, bool normed = false) const {
        const auto time = has_tasks(rows) ? hydra::test::product_task_time : hydra::test::product_time;
        return time(card, bytes_of(type, outputs, columns), static_cast<double>(outputs), static_cast<double>(columns),
                    rows, matrices, normed);
    }
    double preparation(int rows) const {
        return hydra::test::preparation_time(card, static_cast<double>(model.hidden), rows);
    }
    double qkv(int rows) const {
        return product((model.heads + 2 * model.kv_heads) * model.head_size, model.hidden, rows, 1, true);
    }
    double attention(int rows) const {
        const hydra::test::Card of_kernel = has_tasks(rows) ? hydra::test::card_of_tasks(card) : card;
        return hydra::test::attention_time(of_kernel, model.heads, model.kv_heads, model.head_size, context, rows);
    }
    double output(int rows) const { return product(model.hidden, model.heads * model.head_size, rows); }
    double gate_up(int rows) const { return product(2 * model.inner, model.hidden, rows, 2, true); }
    double down(int rows) const { return product(model.hidden, model.inner, rows); }
    double lm_head(int rows) const {
        return hydra::test::product_time(card, bytes_of(type, model.vocabulary, model.hidden), model.vocabulary,
                                         model.hidden, rows, 1, false) +
               hydra::test::small_time(card);
    }
    double layer(int rows) const { return qkv(rows) + attention(rows) + output(rows) + gate_up(rows) + down(rows); }
    // The launch of tasks, embedding and last norm, judging and committing beside the layers.
    double pass(int rows) const {
        return (has_tasks(rows) ? card.launch : 0) + model.layers * layer(rows) + lm_head(rows) +
               4 * hydra::test::small_time(card);
    }

    void print() const {
        std::printf("expected on %s (counted, not measured), %s %s, context %d\n", card.name, model.name, type.name,
                    context);
        std::printf("%-22s%10s", "us, rows:", "");
        for (int rows : ROWS) std::printf("%10d", rows);
        std::printf("\n");
        line("qkv, a layer", &Expected::qkv);
        line("attention, a layer", &Expected::attention);
        line("o, a layer", &Expected::output);
        line("gate-up, a layer", &Expected::gate_up);
        line("down, a layer", &Expected::down);
        line("LM head", &Expected::lm_head);
        line("pass", &Expected::pass);
        line("more, operation alone", &Expected::preparation);
        std::printf("kernels: %d a layer, %d a plain step, %d a level of heads of one block\n", LAYER_KERNELS,
                    model.layers * LAYER_KERNELS + STEP_KERNELS, LEVEL_KERNELS);
        if (has_tasks(1)) {
            std::printf("layers of up to %d rows are tasks of one kernel, and a plain step is %d kernels\n",
                        hydra::test::MOST_TASK_ROWS, 1 + STEP_KERNELS);
        }
        for (const Aim& aim : AIMS) {
            if (std::strcmp(aim.model, model.name) != 0) continue;
            std::printf(
                "aims for a pass of 1 and 64 rows at context 512 in bf16: %.0f and %.0f; torch.compile: %.0f and "
                "%.0f\n",
                aim.one, aim.many, aim.peer_one, aim.peer_many);
        }
        print_attention();
        print_foldings();
    }

  private:
    // Queries, keys and values with their appending, two of the attention, o, gate and up, down; expansion, embedding,
    // last norm, the LM head's rows made ready, its product, its merge, which selects, and the commit, which judges;
    // inputs, block, LM head, its merge, which gives the tokens.
    static constexpr int LAYER_KERNELS = 6, STEP_KERNELS = 7, LEVEL_KERNELS = 4;
    // Microseconds on the card of the model's constants, torch.compile's measured on it (PyTorch 2.11).
    struct Aim {
        const char* model;
        double one, many, peer_one, peer_many;
    };
    static constexpr Aim AIMS[] = {
        {"135m", 400, 500, 1070, 1620}, {"1b", 970, 1100, 1420, 1840}, {"7b", 5000, 5400, 6120, 6810}};

    // The same of attention of 32 heads of 128 columns by 64 rows; PyTorch's scaled dot-product attention for 1,
    // 16, 64.
    struct AttentionAim {
        int kv_heads, context;
        double aim, peer[3];
    };
    static constexpr AttentionAim ATTENTION_AIMS[] = {
        {32, 512, 9, {16.5, 26.9, 28.0}}, {32, 2048, 18, {25.1, 60.7, 64.1}},
        {32, 8192, 60, {59.6, 194, 205}}, {32, 32768, 225, {192, 729, 772}},
        {8, 512, 0, {0, 0, 0}},           {8, 2048, 9, {16.5, 57.9, 61.2}},
        {8, 8192, 20, {26.0, 186, 200}},  {8, 32768, 65, {61.1, 693, 754}}};

    void print_attention() const {
        std::printf("attention of 32 heads of 128, us: expected for 1, 16, 64 rows; aim for 64; peer for 1, 16, 64\n");
        for (const AttentionAim& aim : ATTENTION_AIMS) {
            std::printf("%2d KV heads, context %5d:", aim.kv_heads, aim.context);
            for (int rows : {1, 16, 64}) {
                std::printf("%8.1f", hydra::test::attention_time(card, 32, aim.kv_heads, 128, aim.context, rows) * 1e6);
            }
            std::printf(" |%6.0f |", aim.aim);
            for (double peer : aim.peer) std::printf("%8.1f", peer);
            std::printf("\n");
        }
    }

    // Of the model's attention, as it is and with other foldings, and what the best of these would change of a pass.
    // Tasks keep theirs.
    void print_foldings() const {
        const hydra::test::Folding foldings[] = {{1, 1}, {2, 1}, {4, 1}, {8, 1}, {1, 2}, {1, 4}};
        std::printf("attention, us: now; in clusters of 2, 4, 8; 2, 4 parts a block; a pass with the best of these\n");
        for (int at : {512, 2048, 8192, 32768}) {
            for (int rows : {1, 16, 64}) {
                if (has_tasks(rows)) continue;
                double now = 0, best = 0;
                std::printf("context %5d, %2d rows:", at, rows);
                for (const hydra::test::Folding& folding : foldings) {
                    const double time = hydra::test::attention_time(card, model.heads, model.kv_heads, model.head_size,
                                                                    at, rows, folding);
                    std::printf("%8.1f", time * 1e6);
                    if (now == 0) now = time;
                    if (time != now && (best == 0 || time < best)) best = time;
                }
                const double pass = Expected{card, model, type, at}.pass(rows);
                std::printf(" |%+6.1f %%\n", model.layers * (best - now) / pass * 100);
            }
        }
    }

    void line(const char* name, double (Expected::*time)(int) const) const {
        std::printf("%-22s%10s", name, "");
        for (int rows : ROWS) std::printf("%10.1f", (this->*time)(rows)*1e6);
        std::printf("\n");
    }
};

// What an operation has to do at least: bytes that it reads once for all rows, and vector instructions for each row.
struct Work {
    double bytes = 0, instructions = 0;
};

// Rates of the device: bytes a second, and vector instructions (0: not known).
struct Rates {
    double bytes = 0, instructions = 0;

    // Microseconds.
    double floor(const Work& work) const { return work.bytes / bytes * 1e6; }
    double limit(const Work& work, int rows) const {
        return std::max(floor(work), rows * work.instructions / instructions * 1e6);
    }
};

struct Layer {
    hydra_matrix *query, *key, *value, *output, *gate, *up, *down;
    hydra_buffer *attention_norm, *feed_forward_norm;
};

struct Bench {
    Bench(hydra_backend* opened, const Model& its_model, const Type& its_type, int its_context, int its_repeats,
          int its_sequences, bool with_tables)
        : backend(opened),
          model(its_model),
          type(its_type),
          context(its_context),
          repeats(its_repeats),
          sequences(its_sequences),
          max_rows(its_sequences * HYDRA_MAX_NODES),
          tables(with_tables) {
        const bool cuda = std::strcmp(hydra_backend_kind(backend), "cuda") == 0;
        if (cuda && type.type != HYDRA_F32) kv_type = HYDRA_F16;
        const int pages = (context + 8 * HYDRA_MAX_NODES) / HYDRA_PAGE_POSITIONS + 1;
        const int queries = model.heads * model.head_size, keys = model.kv_heads * model.head_size;
        for (int l = 0; l < model.layers + 1; ++l) {  // the last one is the prefix layer
            const bool wide = l % 2 == 0;
            layers.push_back({matrix(queries, model.hidden), matrix(keys, model.hidden),
                              matrix(keys, model.hidden, wide), matrix(model.hidden, queries),
                              matrix(model.inner, model.hidden), matrix(model.inner, model.hidden),
                              matrix(model.hidden, model.inner, wide), vector(), vector()});
        }
        lm_head = matrix(model.vocabulary, model.hidden, true);
        embedding = matrix(model.vocabulary, model.hidden);
        for (int h = 0; h < HEADS; ++h) {
            first_blocks.push_back(
                {matrix(model.hidden, (h + 2) * model.hidden), matrix(model.hidden, (h + 2) * model.hidden)});
        }
        final_norm = vector();
        pool = made<hydra_kv_pool>(hydra_kv_pool_create, backend, kv_type, model.layers, model.kv_heads,
                                   model.head_size, pages * sequences);
        prefix_pool = made<hydra_kv_pool>(hydra_kv_pool_create, backend, kv_type, 1, model.kv_heads, model.head_size,
                                          pages * sequences);
        std::vector<float> frequencies(static_cast<size_t>(model.head_size / 2));
        for (int i = 0; i < model.head_size / 2; ++i) frequencies[i] = std::pow(1e4f, -2.0f * i / model.head_size);
        rope = made<hydra_rope>(hydra_rope_create, backend, model.head_size, frequencies.data(), 1.0f,
                                pages * HYDRA_PAGE_POSITIONS);
        batch = made<hydra_batch>(hydra_batch_create, backend, sequences, pages);
        std::vector<int32_t> table(static_cast<size_t>(pages));
        for (int s = 0; s < sequences; ++s) {
            for (int i = 0; i < pages; ++i) table[i] = s * pages + i;
            must(hydra_batch_set_pages(batch, s, table.data(), pages));
        }
        for (hydra_rows** each : {&rows, &uncommitted_rows, &level_rows})
            *each = made<hydra_rows>(hydra_rows_create, batch, max_rows);
        tree = made<hydra_tree>(hydra_tree_create, batch);
        selection = made<hydra_buffer>(hydra_buffer_create, backend, int64_t{max_rows} * 4);
        x = buffer(model.hidden);
        query = buffer(queries);
        key = buffer(keys);
        value = buffer(keys);
        attended = buffer(queries);
        gated = buffer(model.inner);
        hidden = buffer(model.hidden);
        uncommitted = buffer(model.hidden);
        states = made<hydra_buffer>(hydra_buffer_create, backend, int64_t{sequences} * model.hidden * 4);
        head_in = buffer(int64_t{HEADS + 1} * model.hidden);
        head_out = buffer(model.hidden);
        best = made<hydra_top>(hydra_top_create, backend, 1, max_rows);
        guesses = made<hydra_top>(hydra_top_create, backend, CANDIDATES, max_rows);
        prefill();
    }

    void run() {
        measure_rates();
        std::printf("us, rows of each:     %10s", "floor");
        for (int count : ROWS) std::printf("%10d", count);
        std::printf("\n");
        const int queries = model.heads * model.head_size, keys = model.kv_heads * model.head_size;
        const Work query_and_key = product(queries + keys, model.hidden), values = product(keys, model.hidden, 0.5);
        const Work qkv = {query_and_key.bytes + values.bytes, query_and_key.instructions + values.instructions},
                   output = product(model.hidden, queries), gate_up = product(2 * model.inner, model.hidden),
                   down = product(model.hidden, model.inner, 0.5), head = product(model.vocabulary, model.hidden, 1),
                   attended_to = attention();
        line("qkv, append, a layer", qkv, model.layers, [&](int l) { record_qkv(l); });
        line("attention, a layer", attended_to, model.layers, [&](int l) { record_attention(l); });
        line("o, a layer", output, model.layers, [&](int l) { record_output(l); });
        line("gate-up, a layer", gate_up, model.layers, [&](int l) { record_gate_up(l); });
        line("down, a layer", down, model.layers, [&](int l) { record_down(l); });
        line("LM head", head, 1, [&](int) {
            must(record(program, hydra_lm_head{rows, 0, hidden, lm_head, nullptr, nullptr, best, nullptr, 0, 0}));
        });
        typical();
        std::vector<Work> pass{head};
        for (int l = 0; l < model.layers; ++l) {
            pass.insert(pass.end(), {qkv, attended_to, output, gate_up, down});
        }
        whole("verify", pass, false);
        // Of the draft bytes alone: how many rows it has is for the tree to say.
        std::vector<Work> step = pass;
        for (const Work& work : {qkv, attended_to, output, gate_up, down}) step.push_back({work.bytes, 0});
        for (int h = 0; h < HEADS; ++h) {
            step.push_back({2 * bytes(model.hidden, (h + 2) * model.hidden) + head.bytes, 0});
        }
        whole("Hydra++ step", step, true);
        if (!tables) return;
        record_blocks = &Bench::record_table_block;
        prepare_tables();
        for (int h = 0; h < HEADS; ++h) step.push_back({-2 * bytes(model.hidden, (h + 1) * model.hidden), 0});
        whole("the same, with tables", step, true);
    }

    // Means of verifying so many nodes for a second each, without and with neighbours: the system's time slices are
    // longer than a step, so that a median would say nothing.
    void run_beside(int neighbours) {
        std::printf("%s, %s %s, context %d; mean us of a step\n", hydra_backend_description(backend), model.name,
                    type.name, context);
        std::printf("%-22s%10s", "nodes of each:", "");
        for (int nodes : BESIDE_ROWS) std::printf("%10d", nodes);
        std::printf("\n");
        record_step(false);
        print_means("alone");
        {
            const Neighbours busy(neighbours);
            print_means(("beside " + std::to_string(neighbours)).c_str());
        }
        print_means("alone again");
    }

  private:
    void print_means(const char* name) {
        std::printf("%-22s%10s", name, "");
        for (int nodes : BESIDE_ROWS) {
            set_tree(nodes);
            const double begin = now();
            double end;
            int steps = 0;
            do {
                for (int s = 0; s < sequences; ++s) must(hydra_batch_rewind(batch, s, context, 1));
                must(hydra_program_run(program));
                end = now();
                ++steps;
            } while (end - begin < 1e6);
            std::printf("%10.1f", (end - begin) / steps);
        }
        std::printf("\n");
        std::fflush(stdout);
    }

    double bytes(int64_t its_rows, int64_t columns) const { return bytes_of(type, its_rows, columns); }

    // `wide` is the share of the matrices that have a mix's wide type.
    Work product(int64_t outputs, int64_t columns, double wide = 0) const {
        const double blocks =
            std::ceil(static_cast<double>(outputs) / 16) * std::ceil(static_cast<double>(columns) / 32);
        const double share = type.wide_bytes > 0 ? wide : 0;
        const double each =
            unit == nullptr ? 0 : (1 - share) * unit->of_block(type.type) + share * unit->of_block(type.wide);
        return {bytes(outputs, columns) * (1 + share * (1.0 * type.wide_bytes / type.bytes - 1)), blocks * each};
    }
    // A multiplication for each key and each value of a head.
    Work attention() const {
        const double values = 2.0 * model.heads * context * model.head_size;
        return {kv_bytes(), unit == nullptr ? 0 : unit->vectors(values)};
    }

    void measure_rates() {
        must(hydra_backend_stream_rate(backend, std::min(int64_t{256} << 20, static_cast<int64_t>(pass_bytes())), 20,
                                       &rates.bytes));
        std::printf("%s, %s %s, %d sequences, context %d; stream rate %.0f GB/s", hydra_backend_description(backend),
                    model.name, type.name, sequences, context, rates.bytes * 1e-9);
        if (unit != nullptr) {
            rates.instructions = hydra::test::vector_rate(*unit, hydra_backend_threads(backend));
            std::printf(", %.0f G products of two bytes a second",
                        hydra::test::dot_rate(*unit, rates.instructions) * 1e-9);
        }
        std::printf("\n");
    }
    double kv_bytes() const {
        return 2.0 * model.kv_heads * model.head_size * context * sequences * (kv_type == HYDRA_F16 ? 2 : 4);
    }
    double pass_bytes() const {
        const int queries = model.heads * model.head_size, keys = model.kv_heads * model.head_size;
        const double layer = product(2 * queries + keys, model.hidden).bytes + product(keys, model.hidden, 0.5).bytes +
                             product(2 * model.inner, model.hidden).bytes +
                             product(model.hidden, model.inner, 0.5).bytes;
        return (layer + kv_bytes()) * model.layers + product(model.vocabulary, model.hidden, 1).bytes;
    }

    // Weights that keep the size of what they multiply.
    hydra_matrix* matrix(int64_t its_rows, int64_t columns, bool wide = false) {
        const hydra_type own = wide && type.wide_bytes > 0 ? type.wide : type.type;
        auto* out = made<hydra_matrix>(hydra_matrix_create, backend, own, its_rows, columns);
        must(hydra_matrix_fill(out, ++matrices, std::sqrt(3.0f / static_cast<float>(columns))));
        return out;
    }

    hydra_buffer* buffer(int64_t columns) {
        return made<hydra_buffer>(hydra_buffer_create, backend, columns * max_rows * 4);
    }

    hydra_buffer* vector() {
        auto* out = made<hydra_buffer>(hydra_buffer_create, backend, int64_t{model.hidden} * 4);
        const std::vector<float> ones(static_cast<size_t>(model.hidden), 1.0f);
        must(hydra_buffer_write(out, 0, ones.data(), int64_t{model.hidden} * 4));
        return out;
    }

    void record_qkv(int l) {
        const Layer& layer = layers[l];
        must(record(program, hydra_qkv{rows, x, layer.attention_norm, EPSILON, layer.query, layer.key, layer.value,
                                       nullptr, nullptr, nullptr, query, key, value}));
        must(
            record(program, hydra_append_kv{rows, query, key, value, model.heads, nullptr, nullptr, 0, rope, pool, l}));
    }
    void record_attention(int l) {
        must(record(program, hydra_attention{rows, query, model.heads, pool, l, attended, 0, 0, 0}));
    }
    void record_output(int l) { must(record(program, hydra_linear{rows, attended, layers[l].output, nullptr, x, x})); }
    void record_gate_up(int l) {
        must(record(program, hydra_gate_up{rows, x, layers[l].feed_forward_norm, EPSILON, layers[l].gate, layers[l].up,
                                           HYDRA_SILU, gated}));
    }
    void record_down(int l) { must(record(program, hydra_linear{rows, gated, layers[l].down, nullptr, x, x})); }

    void record_pass(bool all_rows) {
        must(record(program, hydra_embed{rows, embedding, x, 0}));
        for (int l = 0; l < model.layers; ++l) {
            record_qkv(l);
            record_attention(l);
            record_output(l);
            record_gate_up(l);
            record_down(l);
        }
        must(record(program, hydra_norm{rows, x, final_norm, EPSILON, model.hidden, hidden, nullptr}));
        must(record(program,
                    hydra_lm_head{rows, all_rows ? 0 : 1, hidden, lm_head, nullptr, nullptr, best, nullptr, 0, 0}));
    }

    // The prefix layer over what was accepted last, then a head for each level.
    void record_draft() {
        const Layer& layer = layers[model.layers];
        must(record(program, hydra_qkv{uncommitted_rows, uncommitted, layer.attention_norm, EPSILON, layer.query,
                                       layer.key, layer.value, nullptr, nullptr, nullptr, query, key, value}));
        must(record(program, hydra_append_kv{uncommitted_rows, query, key, value, model.heads, nullptr, nullptr, 0,
                                             rope, prefix_pool, 0}));
        must(record(program, hydra_attention{uncommitted_rows, query, model.heads, prefix_pool, 0, attended, 0, 0, 0}));
        must(
            record(program, hydra_linear{uncommitted_rows, attended, layer.output, nullptr, uncommitted, uncommitted}));
        must(record(program, hydra_gate_up{uncommitted_rows, uncommitted, layer.feed_forward_norm, EPSILON, layer.gate,
                                           layer.up, HYDRA_SILU, gated}));
        must(record(program, hydra_linear{uncommitted_rows, gated, layer.down, nullptr, uncommitted, uncommitted}));
        must(record(program,
                    hydra_draft_states{uncommitted_rows, uncommitted, final_norm, EPSILON, model.hidden, states}));
        for (int h = 0; h < HEADS; ++h) {
            (this->*record_blocks)(h);
            must(record(program,
                        hydra_lm_head{level_rows, 0, head_out, lm_head, nullptr, nullptr, guesses, nullptr, 0, 0}));
            must(record(program, hydra_draft_tokens{tree, h, guesses, -1, rows}));
        }
    }

    void record_block(int h) {
        must(record(program, hydra_draft_inputs{tree, h, rows, states, model.hidden, embedding, level_rows, head_in}));
        must(record(program, hydra_block{level_rows, head_in, first_blocks[h].first, nullptr, first_blocks[h].second,
                                         nullptr, 0, head_out}));
    }

    // The block without products with the embedding; what stands in the tables does not matter.
    void record_table_block(int h) {
        const int64_t n = model.hidden;
        if (h == 0) {
            must(
                record(program, hydra_draft_inputs{tree, 0, rows, states, model.hidden, nullptr, state_rows, head_in}));
            must(record(program, hydra_linear{state_rows, head_in, state_parts, nullptr, nullptr, parts}));
        }
        must(record(program, hydra_table_block{tree, h, rows, parts, 2 * n * HEADS, 2 * n * h, embedding_tables[h],
                                               model.vocabulary, n, level_rows, head_out}));
    }
    void prepare_tables() {
        const int64_t n = model.hidden;
        state_rows = made<hydra_rows>(hydra_rows_create, batch, sequences);
        state_parts = matrix(static_cast<int>(2 * n * HEADS), model.hidden);
        parts = made<hydra_buffer>(hydra_buffer_create, backend, sequences * 2 * n * HEADS * 4);
        for (int64_t h = 0; h < HEADS; ++h) {
            embedding_tables[h] =
                made<hydra_buffer>(hydra_buffer_create, backend, (h + 1) * model.vocabulary * 2 * n * 2);
        }
    }

    // Runs `repeats` times and returns the median time between the two marks, in microseconds.
    double median(const std::function<void()>& before) {
        std::vector<double> times;
        for (int i = -2; i < repeats; ++i) {
            before();
            must(hydra_program_run(program));
            const int64_t* marks = hydra_program_times(program);
            if (i >= 0) times.push_back(static_cast<double>(marks[2] - marks[1]) * 1e-3);
        }
        std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
        return times[repeats / 2];
    }

    void prepare(const std::function<void()>& operations) {
        hydra_program_destroy(program);
        program = made<hydra_program>(hydra_program_create, backend, nullptr);
        must(hydra_program_mark(program));
        operations();
        must(hydra_program_mark(program));
    }

    // The times of an operation, or of several one after the other, for growing numbers of rows.
    void print(const char* name, const std::vector<Work>& works, int count, const std::function<double(int)>& time) {
        double floor = 0, times[std::size(ROWS)];
        for (const Work& work : works) floor += rates.floor(work);
        std::printf("%-22s%10.1f", name, floor);
        for (size_t i = 0; i < std::size(ROWS); ++i) {
            times[i] = time(ROWS[i]) / count;
            std::printf("%10.1f", times[i]);
            std::fflush(stdout);
        }
        std::printf("\n");
        const bool known =
            std::any_of(works.begin(), works.end(), [](const Work& work) { return work.instructions > 0; });
        if (rates.instructions == 0 || !known) return;
        std::printf("%-22s%10s", "  limit (% reached)", "");
        for (size_t i = 0; i < std::size(ROWS); ++i) {
            double limit = 0;
            for (const Work& work : works) limit += rates.limit(work, ROWS[i] * sequences);
            char text[32];
            std::snprintf(text, sizeof text, "%.1f (%.0f)", limit, 100 * limit / times[i]);
            std::printf(" %9s", text);
        }
        std::printf("\n");
    }

    // An operation of `count` layers one after another, so that its weights come from memory as in a step.
    void line(const char* name, const Work& work, int count, const std::function<void(int)>& operation) {
        prepare([&] {
            for (int l = 0; l < count; ++l) operation(l);
        });
        print(name, {work}, count, [&](int its_rows) { return median([&] { set_chains(its_rows); }); });
    }

    // Typical acceptance of trees, beside the time that the logits of all their nodes take.
    void typical() {
        auto* logits = made<hydra_buffer>(hydra_buffer_create, backend, int64_t{max_rows} * model.vocabulary * 4);
        prepare([&] {
            must(record(program, hydra_expand{tree, nullptr, rows}));
            must(record(program,
                        hydra_judge_typical{tree, rows, logits, max_rows, model.vocabulary, 0.7f, 0.09f, 0.3f}));
        });
        print("typical acceptance", {{4.0 * model.vocabulary * max_rows, 0}}, 1,
              [&](int nodes) { return step(nodes); });
        hydra_program_destroy(program);
        program = nullptr;
        hydra_buffer_destroy(logits);
    }

    // Whole steps: expand, draft, verify, accept and compact.
    void record_step(bool drafted) {
        prepare([&] {
            must(record(program, hydra_expand{tree, nullptr, rows}));
            if (drafted) record_draft();
            record_pass(true);
            must(record(program, hydra_select{rows, best, nullptr, 0, nullptr, selection, nullptr}));
            must(record(program, hydra_judge{tree, rows, selection}));
            must(record(program, hydra_commit{tree, rows, selection, pool, drafted ? hidden : nullptr, model.hidden,
                                              drafted ? uncommitted_rows : nullptr, drafted ? uncommitted : nullptr, 0,
                                              nullptr}));
        });
    }

    void whole(const char* name, const std::vector<Work>& works, bool drafted) {
        record_step(drafted);
        std::vector<int32_t> kernels;
        print(name, works, 1, [&](int nodes) {
            const double time = step(nodes);
            hydra_launches launched{};
            must(hydra_program_launches(program, &launched));
            kernels.push_back(launched.kernels);
            return time;
        });
        if (kernels.front() == 0) return;
        std::printf("%-32s", "  kernels");
        for (const int32_t count : kernels) std::printf("%10d", count);
        std::printf("\n");
    }

    // The median time of a step with trees of so many nodes.
    double step(int nodes) {
        set_tree(nodes);
        // The step after it, a warm one, has nothing to draft from.
        for (int s = 0; s < sequences; ++s) must(hydra_batch_rewind(batch, s, context, 1));
        return median([] {});
    }

    // The `nodes` likeliest nodes down to depth HEADS, where the guess of rank r is right with 0.6 / (r + 1)^2.
    void set_tree(int nodes) {
        struct Node {
            double chance;
            int parent, rank, depth;
        };
        std::vector<Node> kept{{1, -1, 0, 0}}, open;
        const auto grow = [&](int parent) {
            for (int r = 0; r < CANDIDATES && kept[parent].depth < HEADS; ++r) {
                open.push_back({kept[parent].chance * 0.6 / ((r + 1) * (r + 1)), parent, r, kept[parent].depth + 1});
            }
        };
        grow(0);
        while (static_cast<int>(kept.size()) < nodes) {
            const auto likeliest = std::max_element(open.begin(), open.end(),
                                                    [](const Node& a, const Node& b) { return a.chance < b.chance; });
            kept.push_back(*likeliest);
            open.erase(likeliest);
            grow(static_cast<int>(kept.size()) - 1);
        }
        // In order of depth; a node's parent keeps standing before it.
        std::vector<int> order(kept.size()), place(kept.size());
        for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return kept[a].depth < kept[b].depth; });
        std::vector<int32_t> parents, ranks;
        for (size_t i = 0; i < order.size(); ++i) {
            place[order[i]] = static_cast<int>(i);
            parents.push_back(i == 0 ? -1 : place[kept[order[i]].parent]);
            ranks.push_back(kept[order[i]].rank);
        }
        must(hydra_tree_set(tree, -1, parents.data(), ranks.data(), nodes));
    }

    // Verified positions up to the context. Their keys and values do not matter to the time, so one layer stands for
    // all.
    void prefill() {
        program = made<hydra_program>(hydra_program_create, backend, nullptr);
        must(record(program, hydra_embed{rows, embedding, x, 0}));
        must(record(program, hydra_norm{rows, x, final_norm, EPSILON, model.hidden, hidden, nullptr}));
        record_qkv(0);
        must(record(program, hydra_lm_head{rows, 1, x, lm_head, nullptr, nullptr, best, nullptr, 0, 0}));
        must(record(program, hydra_select{rows, best, nullptr, 0, nullptr, selection, nullptr}));
        must(record(program, hydra_commit{nullptr, rows, selection, nullptr, x, model.hidden, uncommitted_rows,
                                          uncommitted, 0, nullptr}));
        for (int done = 0; done < context; done += HYDRA_MAX_NODES) {
            set_chains(std::min(HYDRA_MAX_NODES, context - done));
            must(hydra_program_run(program));
        }
    }

    // Of every sequence so many tokens.
    void set_chains(int its_rows) {
        std::vector<int32_t> all(static_cast<size_t>(sequences));
        const std::vector<int32_t> counts(all.size(), its_rows), tokens(all.size() * its_rows, 1);
        for (int s = 0; s < sequences; ++s) all[s] = s;
        must(hydra_rows_set_chains(rows, all.data(), counts.data(), sequences, tokens.data(), nullptr));
    }

    hydra_backend* backend;
    Rates rates;
    const hydra::test::VectorUnit* unit = hydra::test::vector_unit(hydra_backend_isa(backend));  // null: not known
    const Model& model;
    const Type& type;
    int context, repeats, sequences, max_rows;
    bool tables;
    void (Bench::*record_blocks)(int) = &Bench::record_block;
    hydra_rows* state_rows;
    hydra_matrix* state_parts;
    hydra_buffer *parts, *embedding_tables[HEADS];
    int64_t matrices = 0;
    std::vector<Layer> layers;
    std::vector<std::pair<hydra_matrix*, hydra_matrix*>> first_blocks;  // linear and skip
    hydra_matrix *lm_head, *embedding;
    hydra_buffer* final_norm;
    hydra_type kv_type = HYDRA_F32;
    hydra_kv_pool *pool, *prefix_pool;
    hydra_rope* rope;
    hydra_batch* batch;
    hydra_rows *rows, *uncommitted_rows, *level_rows;
    hydra_tree* tree;
    hydra_buffer *x, *query, *key, *value, *attended, *gated, *hidden, *uncommitted, *states, *head_in, *head_out,
        *selection;
    hydra_top *best, *guesses;
    hydra_program* program = nullptr;
};

template <class Entry, size_t N>
const Entry& find(const Entry (&entries)[N], const std::string& name) {
    for (const Entry& entry : entries) {
        if (name == entry.name) return entry;
    }
    std::fprintf(stderr, "unknown: %s\n", name.c_str());
    std::exit(2);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) {
        std::fprintf(stderr,
                     "usage: %s cpu[:THREADS]|LIBRARY|expected MODEL TYPE [CONTEXT] [REPEATS] [SEQUENCES] [tables]\n"
                     "or the same with beside [NEIGHBOURS] in place of [SEQUENCES] [tables]\n",
                     arguments[0]);
        return 2;
    }
    const std::string device = arguments[1];
    const Model& model = find(MODELS, arguments[2]);
    const Type& type = find(TYPES, arguments[3]);
    const int context = std::max(1, count > 4 ? std::atoi(arguments[4]) : 512);
    const Expected expected{hydra::test::H100, model, type, context};
    const bool is_mix = type.wide_bytes > 0;
    if (device == "expected") {
        if (is_mix) std::fprintf(stderr, "expected: give one type of weights, not a mix\n");
        if (!is_mix) expected.print();
        return is_mix ? 2 : 0;
    }
    hydra_backend* backend = nullptr;
    if (device.compare(0, 3, "cpu") == 0) {
        must(hydra_backend_open_cpu(device.size() > 4 ? std::atoi(device.c_str() + 4) : 2, "auto", &backend));
    } else {
        must(hydra_backend_open_cuda(device.c_str(), 0, &backend));
    }
    const int repeats = count > 5 ? std::atoi(arguments[5]) : 21;
    const bool beside = count > 6 && std::strcmp(arguments[6], "beside") == 0;
    const int sequences = count > 6 && !beside ? std::atoi(arguments[6]) : 1;
    Bench bench(backend, model, type, context, std::max(1, repeats),
                std::clamp(sequences, 1, HYDRA_MAX_ROWS / HYDRA_MAX_NODES), count > 7 && !beside);
    if (beside) {
        bench.run_beside(count > 7 ? std::atoi(arguments[7]) : 1);
    } else {
        bench.run();
    }
    if (!is_mix && sequences <= 1 && std::strcmp(hydra_backend_kind(backend), "cuda") == 0) expected.print();
    return 0;
}
