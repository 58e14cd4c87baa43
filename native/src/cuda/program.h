// Programs of the CUDA backend: captured once into a graph that one launch runs.
#pragma once

#include "cuda/backend.h"
#include "program/program.h"

namespace hydra::cuda {

// A run brings the device what the host has changed of the shared state, launches the graph, whose last nodes bring the
// sequences' state back, and waits once. The host never looks at the device in between.
struct CudaProgram : hydra_program {
    explicit CudaProgram(CudaBackend& owner) : hydra_program(&owner), cuda(owner) {}
    ~CudaProgram() override;

    void run() override;

  protected:
    void add(const Operation& operation) override;

  private:
    void use(const hydra_rows* rows);
    void use(const hydra_tree* tree);
    void use(const hydra_top* top);
    void capture(void* workspace);
    void enqueue(void* workspace);
    void discard_graph();
    void place_marks(int64_t begin, int64_t end);

    CudaBackend& cuda;
    std::vector<Mirror*> inputs;              // what the operations read and the host may have changed
    std::vector<Mirror*> outputs;             // what comes back with every run: the sequences' state
    std::vector<const hydra_top*> rewritten;  // by LM heads
    Mirror marks{};                           // int64_t [times.size()], of the device's clock
    Graph* graph = nullptr;
    void* graph_workspace = nullptr;
};

}  // namespace hydra::cuda
