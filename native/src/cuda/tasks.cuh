// Tasks: what operations of small models would launch, kept while a program is captured, so that one cooperative kernel
// does a list of them (tasks.cu).
//
// A launcher that finds its operation small enough adds a task with the arguments of the launch that it stands for;
// whatever is launched otherwise, and the capture's end, launches what waits before it. So the operations between two
// launches make up a list, if they are enough of them, and nothing that records programs knows of tasks.
#pragma once

#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

#include "cuda/runtime.cuh"

namespace hydra::cuda {

// Which models and runs these are, where the time is that between launches and not that of bytes: their products are
// small ones (product.cuh), of types that such models have, their heads have 64 columns, rows are not so many that
// bringing them to all blocks takes longer (cost_model.h), and a list is of a layer's operations at least.
constexpr int32_t MOST_TASK_ROWS = 64;
constexpr int TASK_HEAD_SIZE = 64, LEAST_TASKS = 5;
constexpr bool has_tasks(hydra_type type) {
    return type == HYDRA_F16 || type == HYDRA_BF16 || type == HYDRA_Q8_0 || type == HYDRA_Q4_0 || type == HYDRA_Q4_1;
}

enum class TaskKind : int32_t { QKV, LINEAR, GATE_UP, FEW_ATTENTION, MANY_ATTENTION, MERGED_ATTENTION, NONE };

// What a launch with this finish is as a task (specialised where finishes are).
template <class Finish>
constexpr TaskKind TASK_KIND = TaskKind::NONE;

// A launch that blocks of the grid share out.
struct alignas(16) Task {
    TaskKind kind;
    uint32_t grid[3];  // of the launch that it stands for
    alignas(16) unsigned char arguments[704];

    template <class Arguments>
    __host__ __device__ const Arguments& as() const {
        return *reinterpret_cast<const Arguments*>(arguments);
    }
    __host__ __device__ int units() const { return static_cast<int>(grid[0] * grid[1] * grid[2]); }
    __device__ uint3 place(unsigned unit) const {
        return {unit % grid[0], unit / grid[0] % grid[1], unit / grid[0] / grid[1]};
    }
};

// Who does a task: `blocks` blocks of the grid from `first` on, round its end.
struct TaskPlace {
    uint16_t first, blocks;
};
constexpr int MOST_TASKS = 192;  // of a list: 32 layers

// A list in device memory.
struct TaskList {
    const Task* tasks;
    const TaskPlace* places;
    int32_t* counters;  // of blocks that have done a task; zero before and after
    int32_t count;
};

// The tasks of a capture.
struct TaskQueue {
    struct Waiting {
        Task task;
        std::function<hydra_status()> launch_alone;
    };
    // Memory that is filled when the capture has ended.
    struct Launched {
        void* memory;
        std::vector<unsigned char> contents;
    };

    // Of the tasks that wait.
    hydra_type type = HYDRA_F32;
    int groups = 0, blocks = 0;
    std::vector<Waiting> waiting;
    std::vector<Launched> launched;

    template <class Arguments, class Launch>
    void add(TaskKind kind, dim3 grid, const Arguments& arguments, Launch&& launch_alone) {
        Task task{kind, {grid.x, grid.y, grid.z}, {}};
        static_assert(std::is_trivially_copyable_v<Arguments> && sizeof arguments <= sizeof task.arguments);
        std::memcpy(task.arguments, &arguments, sizeof arguments);
        waiting.push_back({task, std::forward<Launch>(launch_alone)});
    }
};

// Begins a list for products of such weights and groups of eight rows, or goes on with one, and tells the blocks that
// share it out; 0: there can be none.
hydra_status open_tasks(Stream* stream, hydra_type type, int groups, int* blocks);

// Blocks of the list that an attention over so many rows can go on with; 0: none.
int blocks_for_attention(const Stream* stream, int32_t rows);

// Bytes of a task in a list, for models with heads of so many columns; 0: they have none.
constexpr int64_t task_bytes(int32_t head_size) {
    return head_size == TASK_HEAD_SIZE ? sizeof(Task) + sizeof(TaskPlace) + sizeof(int32_t) : 0;
}

hydra_status begin_tasks(Stream* stream);
// Fills the memory of what was launched and leaves it to the graph, or gives it back where there is none.
hydra_status end_tasks(Stream* stream, Graph* graph);
void release_tasks(Graph* graph);

}  // namespace hydra::cuda
