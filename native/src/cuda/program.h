// Programs of the CUDA backend: captured into graphs, each of which one launch runs.
#pragma once

#include "cuda/backend.h"
#include "program/live_rows.h"
#include "program/program.h"

namespace hydra::cuda {

// A run brings the device what the host has changed of the shared state, launches a graph, whose kernels
// tell the host times and the sequences' results, and waits once. The host never looks at the device in between. There
// is a graph for each bucket of live rows: a step with few rows launches what these need, whatever the session has room
// for.
struct CudaProgram : hydra_program {
    CudaProgram(CudaBackend& owner, CudaStream& its_stream)
        : hydra_program(&owner, its_stream.mutex), cuda(owner), stream(its_stream) {}
    ~CudaProgram() override;

    void await() override;
    void await_first() override;

  protected:
    void add(const Operation& operation) override;
    void claim() override;
    void drop() override { give_back(1); }
    void launch() override;

  private:
    // What the operation uses, and how much workspace it needs.
    void note(const Operation& operation);
    // Ends so many runs' claim to the state.
    void give_back(int32_t runs);
    // Brings the host the results of the last run that has ended, behind which so many were launched.
    void take_results(int32_t later);
    void use(const hydra_rows* rows);
    void use(hydra_rows* rows);
    void use(const hydra_tree* tree);
    void use(const hydra_sampling* sampling);
    void use(hydra_sampling* sampling) { use(static_cast<const hydra_sampling*>(sampling)); }
    void use(hydra_tree* tree);
    void use(const hydra_top* top);
    void use(hydra_top* top);
    // Handles and numbers that runs do not change.
    template <class Other>
    void use(const Other&) {}
    // What was captured for so many rows at most.
    struct Captured {
        std::vector<int32_t> rows;  // as rows_of_run tells them
        Graph* graph;
        int32_t kernels, copies;
        int64_t used;  // at which run the last time
    };

    // The buckets of rows of a run: of those that it finds, then of those that operations set. Notes how many it
    // leaves.
    void find_rows();
    // The graph of a run, captured where there is none.
    const Captured& graph_for(void* workspace);
    Captured capture(void* workspace);
    void record_on(Stream* target, void* workspace);
    void discard_graphs();
    void discard_oldest_graph();
    void place_marks(int64_t begin, int64_t end);

    CudaBackend& cuda;
    CudaStream& stream;
    int64_t begun = 0;                            // the last run, by the host's clock
    std::vector<Mirror*> inputs;                  // what the operations read and the host may have changed
    std::vector<const hydra_rows*> changed_rows;  // rows that the operations change
    std::vector<const hydra_top*> filled_tops;    // that the operations fill
    std::vector<const hydra_rows*> found_rows;    // that operations read before others set them
    std::vector<size_t> setters;                  // operations that set rows, or the sequences that have them
    std::vector<int32_t> mark_slots;              // [times.size()]: where each mark's time is told
    Memory mark_times;                            // int64_t [times.size()], pinned: of the device's clock
    std::vector<int32_t> rows_of_run;             // of the one at hand, by find_rows
    // The rows that it changes, and how many there can be of them afterwards.
    std::vector<std::pair<const hydra_rows*, int32_t>> rows_left;
    std::vector<Captured> graphs;
    void* graphs_workspace = nullptr;
    int64_t graphs_tables = 0;  // how often tables had moved
    int64_t launches = 0;
};

}  // namespace hydra::cuda
