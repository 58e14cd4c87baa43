// Programs of the CUDA backend: captured once into a graph that one launch runs.
#pragma once

#include "cuda/backend.h"
#include "program/program.h"

namespace hydra::cuda {

// A run brings the device what the host has changed of the shared state, launches the graph, whose last nodes bring the
// sequences' states back, and waits once. The host never looks at the device in between.
struct CudaProgram : hydra_program {
    CudaProgram(CudaBackend& owner, CudaStream& its_stream)
        : hydra_program(&owner, its_stream.mutex), cuda(owner), stream(its_stream) {}
    ~CudaProgram() override;

    void await() override;

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
    // Has every run bring the sequences' states to the host.
    void bring_back(hydra_batch& batch);
    void capture(void* workspace);
    void record_on(Stream* target, void* workspace);
    void discard_graph();
    void place_marks(int64_t begin, int64_t end);

    CudaBackend& cuda;
    CudaStream& stream;
    int32_t runs = 0;                             // enqueued and not awaited
    int64_t begun = 0;                            // the last of them, by the host's clock
    bool changes_state = false;                   // of sequences and rows, which checks look at
    std::vector<Mirror*> inputs;                  // what the operations read and the host may have changed
    std::vector<Mirror*> outputs;                 // what comes back with every run: the sequences' states
    std::vector<const hydra_rows*> changed_rows;  // rows that the operations set
    std::vector<const hydra_top*> filled_tops;    // that the operations fill
    Mirror marks{};                               // int64_t [times.size()], of the device's clock
    Graph* graph = nullptr;
    void* graph_workspace = nullptr;
    int64_t graph_tables = 0;  // how often tables had moved
};

}  // namespace hydra::cuda
