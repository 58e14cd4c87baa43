// All layers of a small model in one launch: a persistent cooperative kernel that does a list of tasks.
//
// Where a layer's weights take less time than the launches around them, launches are what a step consists of. Here the
// blocks, as many as run at once, walk through a list of tasks, each with the arguments of the launch that it stands
// for (tasks.cuh), and compute it with the very functions of that launch's kernel: so the bits are the same ones. Small
// products cut nothing that is added up, so that it does not matter how many rows of tiles a block has.
//
// A task is shared out over as many blocks as have something to do, of the next task the blocks that follow: those
// without a share go on to a task of their own. Before a block waits for the task before its own it has fetched the
// arguments and asked for the weights of its first stages, so that weights of several tasks are on their way while one
// is computed: all that can be before rows are there. Its last warp, which has nothing to fetch then, asks for what the
// block will read of its next task, in the L2 cache: all weights, or the keys and values of the prefix, which no task
// changes (devices with bulk copies). Blocks that have done a task count up its counter, and those of the next task
// alone wait for it. There is no other barrier. A task's counter is set to zero behind the second task after it, when
// all that waited for it have gone on.
//
// There is a kernel for 8, 16, 32 and 64 rows. What it takes to bring rows and weights to the blocks grows with the
// rows: each row of tiles reads all rows of a part, each part all weights. So parts are of fewer rows than there are
// where the grid has blocks for them, and above 16 rows a row of tiles is two tiles wide (task_tiles, task_part_groups
// in product.cuh), for 64 rows of gate and up 32 rows by two tiles of each: 144 KB a block instead of 216. What a value
// is added up from, and in which order, is the same.
//
// Counted, not measured on any card yet (ptxas 13.0 for sm_90; a layer of 576 hidden values, 9 heads of 64 over 3 KV
// heads and 1536 inner values, BF16; H100):
//                                       launches (product.cuh)        tasks
//   launches of a layer; of many vectors  5; 6                          none
//   meetings                              -                             5; 6, of 60, 132, 36, 96 and 36 of 132 blocks
//                                                                       for one row, of 120, 96, 72 for 64
//   from the end of an operation to the   the gap of a launch, then     store, count, load: 2.5 trips, then 1 / rms and
//     arithmetic of the next one          3 trips to the cache          rows: 2
//   weights that a block has asked for    from the end of the launch    in shared memory 28 KB, of gate and up 48; of
//     before                              before on                     64 rows 32; all others in the cache
//   a block's registers: 8 to 64 rows     62 to 80, attention 117, 158  244, 244, 213, 227, of all types up to 251,
//                                                                       nothing spilled (64 rows: 4 bytes of F16 on
//                                                                       sm_100 and sm_120, 12 of Q4_1 on sm_120)
//   shared memory, KB                     83 to 99                      63 (Q4_0) to 99; one block a multiprocessor
// Expected of a pass of 30 such layers in 1, 8, 16, 32 and 64 rows at 512 positions (cost_model.h): 392, 539, 615, 596
// and 680 us by launches, 255, 356, 374, 432 and 545 as tasks. Without what is asked for a task ahead, 312, 458, 473,
// 516 and 604 us. A block could have 227 KB of an H100: 1 or 2 % are expected of so many more stages in BF16, as most
// tasks have blocks that have only just done the one before.
#include <algorithm>

#include "cuda/allocation.cuh"
#include "cuda/attention_mma.cuh"
#include "cuda/gate_up.cuh"
#include "cuda/linear.cuh"
#include "cuda/product.cuh"
#include "cuda/qkv.cuh"

namespace hydra::cuda {

namespace {

constexpr int D = TASK_HEAD_SIZE;

template <int GROUPS>
using TaskShape = Shape<task_tiles(GROUPS), 1>;
template <hydra_type type, int MATRICES, int GROUPS>
using ProductShared =
    typename ClusterShared<type, MATRICES, TaskShape<GROUPS>, task_part_groups(GROUPS, MATRICES)>::Pipeline;

// More rows are many vectors, however few heads a KV head has.
__host__ __device__ constexpr bool has_few_vectors(int groups) { return groups <= FEW_GROUPS; }

template <hydra_type type, int GROUPS>
struct alignas(16) TasksShared {
    static constexpr size_t BYTES =
        std::max({sizeof(ProductShared<type, 1, GROUPS>), sizeof(ProductShared<type, 2, GROUPS>),
                  FewAttention::BYTES<D>, ManyAttention::BYTES<D, SHARED_GROUPS>});

    alignas(16) unsigned char own[BYTES];  // of the task at hand
    StageBarriers barriers;                // of all products
    Task tasks[2];                         // it, and the block's next one
    TaskPlace places[MOST_TASKS];
};

// A block's part of the list.
template <hydra_type type, int GROUPS>
struct Tasks {
    using Shared = TasksShared<type, GROUPS>;

    const TaskList& list;
    Shared& shared;

    // Which of a task's blocks this is; it has none of its units where it is behind the last one.
    __device__ __forceinline__ int number_in(const TaskPlace& place) const {
        return static_cast<int>((blockIdx.x + gridDim.x - place.first) % gridDim.x);
    }
    // The first task of the block from `task` on.
    __device__ __forceinline__ int own_from(int task) const {
        while (task < list.count && number_in(shared.places[task]) >= shared.places[task].blocks) ++task;
        return task;
    }
    // By the last warp, which has nothing to ask for when a product begins.
    __device__ __forceinline__ void fetch(int task, int to) const {
        constexpr int PIECES = sizeof(Task) / 16;
        if (warp_index() < PRODUCT_WARPS - 1) return;
        for (int i = task < list.count ? lane_index() : PIECES; i < PIECES; i += WARP) {
            copy_async(reinterpret_cast<uint8_t*>(&shared.tasks[to]) + i * 16,
                       reinterpret_cast<const uint8_t*>(list.tasks + task) + i * 16);
        }
        end_copies();
    }

    __device__ __forceinline__ void run() const {
        for (int i = static_cast<int>(threadIdx.x); i < list.count; i += PRODUCT_THREADS) {
            shared.places[i] = list.places[i];
        }
        shared.barriers.begin();
        __syncthreads();
        int task = own_from(0), at = 0;
        fetch(task, at);
        copies_arrived<0>();
        __syncthreads();
        while (task < list.count) {
            const int next = own_from(task + 1);
            fetch(next, 1 - at);
            bring(next, shared.tasks[1 - at]);
            compute(task, shared.tasks[at]);
            copies_arrived<0>();
            __syncthreads();
            if (threadIdx.x == 0) leave(task);
            task = next;
            at = 1 - at;
        }
    }

  private:
    // Asks for what the block reads of the next task's weights or keys and values in the L2 cache. By the last warp,
    // while the others wait for the task at hand.
    __device__ __forceinline__ void bring(int number, const Task& task) const {
        if (!has_bulk_copies() || number == list.count || warp_index() < PRODUCT_WARPS - 1) return;
        copies_arrived<0>();
        __syncwarp();
        const auto unit = static_cast<unsigned>(number_in(shared.places[number]));
        switch (task.kind) {
            case TaskKind::QKV:
            case TaskKind::LINEAR:
                return bring_weights<type, 1, TaskShape<GROUPS>, task_part_groups(GROUPS, 1)>(task.as<Products<1>>(),
                                                                                              unit);
            case TaskKind::GATE_UP:
                return bring_weights<type, 2, TaskShape<GROUPS>, task_part_groups(GROUPS, 2)>(task.as<Products<2>>(),
                                                                                              unit);
            case TaskKind::FEW_ATTENTION:
                if constexpr (has_few_vectors(GROUPS)) task.as<FewAttention>().template bring<D>(task.place(unit));
                return;
            case TaskKind::MANY_ATTENTION:
                return task.as<ManyAttention>().template bring<D>(task.place(unit));
            default:
                return;
        }
    }

    // Until the task before has been done.
    __device__ __forceinline__ void wait_before(int task) const {
        if (threadIdx.x == 0 && task > 0) {
            wait_for_count(list.counters + task - 1, shared.places[task - 1].blocks);
            if (task > 1 && number_in(shared.places[task]) == 0) list.counters[task - 2] = 0;
        }
        __syncthreads();
    }

    // By one thread, when the block has done its share.
    __device__ __forceinline__ void leave(int task) const {
        int32_t* counter = list.counters + task;
        if (task + 1 < list.count) return count_up(counter);
        if (add_in_order(counter, 1) < shared.places[task].blocks - 1) return;
        *counter = 0;
        if (task > 0) counter[-1] = 0;
    }

    __device__ __forceinline__ void compute(int number, const Task& task) const {
        switch (task.kind) {
            case TaskKind::QKV:
                return multiply<1, StoreQkv>(number, task);
            case TaskKind::LINEAR:
                return multiply<1, StoreLinear>(number, task);
            case TaskKind::GATE_UP:
                return multiply<2, ActivateAndMultiply>(number, task);
            case TaskKind::FEW_ATTENTION:
                if constexpr (has_few_vectors(GROUPS)) {
                    attend(number, task, [&](const uint3& unit) { task.as<FewAttention>().template run<D>(unit); });
                }
                return;
            case TaskKind::MANY_ATTENTION:
                return attend(number, task, [&](const uint3& unit) {
                    task.as<ManyAttention>().template run<D, SHARED_GROUPS>(unit);
                });
            default:
                return attend(number, task,
                              [&](const uint3& unit) { task.as<MergedAttention>().template run<D>(unit); });
        }
    }

    template <int MATRICES, class Finish>
    __device__ __forceinline__ void multiply(int number, const Task& task) const {
        const TaskPlace& place = shared.places[number];
        const auto& product = task.as<ProductTask<MATRICES, Finish>>();
        const int first = number_in(place), units = task.units();
#pragma unroll 1
        for (int unit = first; unit < units; unit += place.blocks) {
            if (unit != first) __syncthreads();
            compute_products<type, MATRICES, TaskShape<GROUPS>, task_part_groups(GROUPS, MATRICES)>(
                product.work, product.finish, static_cast<unsigned>(unit), shared.barriers, [&](auto&& count) {
                    // Known before: no task changes how many rows there are.
                    const int rows = count();
                    if (unit == first) wait_before(number);
                    return rows;
                });
        }
    }

    // run(unit) for the block's units of an attention, by as many threads as that is for.
    template <class Run>
    __device__ __forceinline__ void attend(int number, const Task& task, Run&& run) const {
        wait_before(number);
        if (threadIdx.x >= ATTENTION_THREADS) return;
        const TaskPlace& place = shared.places[number];
        const int first = number_in(place), units = task.units();
#pragma unroll 1
        for (int unit = first; unit < units; unit += place.blocks) {
            if (unit != first) {
                copies_arrived<0>();
                meet_in_attention();
            }
            run(task.place(static_cast<unsigned>(unit)));
        }
    }
};

// A block a multiprocessor is enough for what a small model has to do, and has the registers of all kinds of tasks.
template <hydra_type type, int GROUPS>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1) tasks_kernel(TaskList list) {
    begin_in_turn();
    Tasks<type, GROUPS>{list, shared_memory<TasksShared<type, GROUPS>>()}.run();
}

// Calls run(tag of the type, groups) where there is a kernel for them.
template <class Run>
hydra_status with_tasks(hydra_type type, int groups, Run&& run) {
    const auto with_own_groups = [&](auto tag) {
        switch (groups) {
            case 1:
                return run(tag, std::integral_constant<int, 1>{});
            case 2:
                return run(tag, std::integral_constant<int, 2>{});
            case 4:
                return run(tag, std::integral_constant<int, 4>{});
            default:
                return run(tag, std::integral_constant<int, 8>{});
        }
    };
    switch (type) {
        case HYDRA_F16:
            return with_own_groups(TypeTag<HYDRA_F16>{});
        case HYDRA_BF16:
            return with_own_groups(TypeTag<HYDRA_BF16>{});
        case HYDRA_Q8_0:
            return with_own_groups(TypeTag<HYDRA_Q8_0>{});
        case HYDRA_Q4_0:
            return with_own_groups(TypeTag<HYDRA_Q4_0>{});
        default:
            return with_own_groups(TypeTag<HYDRA_Q4_1>{});
    }
}

// Blocks of the kernel that run at once; 0 where the device has too little memory for one, or no cooperative launches.
hydra_status count_blocks(const Device& device, hydra_type type, int groups, int* blocks) {
    return with_tasks(type, groups, [&](auto tag, auto own_groups) {
        constexpr hydra_type own = decltype(tag)::type;
        constexpr size_t BYTES = sizeof(TasksShared<own, own_groups.value>);
        static_assert(BYTES <= 99 * 1024, "devices of 8.6, 8.9 and 12.0 give a block no more");
        const auto kernel = tasks_kernel<own, own_groups.value>;
        cudaError_t error = allow_shared_bytes(kernel, BYTES);
        int of_each = 0;
        if (error == cudaSuccess)
            error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_each, kernel, PRODUCT_THREADS, BYTES);
        *blocks = of_each * device.cooperating_blocks;
        return check(error, "counting blocks that run at once");
    });
}

// The image of a list in device memory, which will lie at `memory`: counters, places, tasks.
struct Image {
    static constexpr size_t PLACES_AT = MOST_TASKS * sizeof(int32_t);
    static constexpr size_t TASKS_AT = PLACES_AT + MOST_TASKS * sizeof(TaskPlace);

    std::vector<unsigned char> contents;

    Image(const std::vector<TaskQueue::Waiting>& tasks, int blocks) : contents(TASKS_AT + tasks.size() * sizeof(Task)) {
        int first = 0;
        for (size_t i = 0; i < tasks.size(); ++i) {
            const Task& task = tasks[i].task;
            const int sharing = std::min(task.units(), blocks);
            const TaskPlace place{static_cast<uint16_t>(first), static_cast<uint16_t>(sharing)};
            first = (first + sharing) % blocks;
            std::memcpy(contents.data() + PLACES_AT + i * sizeof place, &place, sizeof place);
            std::memcpy(contents.data() + TASKS_AT + i * sizeof task, &task, sizeof task);
        }
    }
    static TaskList list_at(void* memory, size_t count) {
        auto* bytes = static_cast<unsigned char*>(memory);
        return {reinterpret_cast<const Task*>(bytes + TASKS_AT), reinterpret_cast<const TaskPlace*>(bytes + PLACES_AT),
                reinterpret_cast<int32_t*>(bytes), static_cast<int32_t>(count)};
    }
};

hydra_status launch_list(Stream* stream, const std::vector<TaskQueue::Waiting>& tasks) {
    TaskQueue& queue = *stream->tasks;
    Image image(tasks, queue.blocks);
    void* memory = nullptr;
    hydra_status status =
        check(allocate_by([&] { return cudaMalloc(&memory, image.contents.size()); }), "allocating a list of tasks");
    if (status != HYDRA_OK) return status;
    const TaskList list = Image::list_at(memory, tasks.size());
    queue.launched.push_back({memory, std::move(image.contents)});
    return with_tasks(queue.type, queue.groups, [&](auto tag, auto groups) {
        constexpr hydra_type type = decltype(tag)::type;
        return enqueue(stream, "tasks_kernel", tasks_kernel<type, groups.value>, Together{1, true},
                       static_cast<unsigned>(queue.blocks), PRODUCT_THREADS, sizeof(TasksShared<type, groups.value>),
                       list);
    });
}

}  // namespace

hydra_status open_tasks(Stream* stream, hydra_type type, int groups, int* blocks) {
    TaskQueue& queue = *stream->tasks;
    // An attention takes two tasks.
    const bool goes_on = !queue.waiting.empty() && queue.type == type && queue.groups == groups &&
                         queue.waiting.size() + 3 <= MOST_TASKS;
    hydra_status status = HYDRA_OK;
    if (!goes_on) {
        status = launch_tasks(stream);
        queue.type = type;
        queue.groups = groups;
        if (status == HYDRA_OK) status = count_blocks(*stream->device, type, groups, &queue.blocks);
    }
    *blocks = queue.blocks;
    return status;
}

int blocks_for_attention(const Stream* stream, int32_t rows) {
    const TaskQueue* queue = stream->tasks;
    const bool goes_on = queue != nullptr && !queue->waiting.empty() && rows <= MOST_TASK_ROWS;
    return goes_on && queue->groups == task_groups(rows) ? queue->blocks : 0;
}

hydra_status launch_tasks(Stream* stream) {
    if (stream->tasks == nullptr || stream->tasks->waiting.empty()) return HYDRA_OK;
    std::vector<TaskQueue::Waiting> tasks;
    tasks.swap(stream->tasks->waiting);
    if (tasks.size() >= LEAST_TASKS) return launch_list(stream, tasks);
    hydra_status status = HYDRA_OK;
    for (size_t i = 0; i < tasks.size() && status == HYDRA_OK; ++i) status = tasks[i].launch_alone();
    return status;
}

hydra_status begin_tasks(Stream* stream) { return create(TaskQueue{}, &stream->tasks); }

hydra_status end_tasks(Stream* stream, Graph* graph) {
    hydra_status status = HYDRA_OK;
    for (TaskQueue::Launched& list : stream->tasks->launched) {
        if (graph != nullptr && status == HYDRA_OK) {
            status =
                copy_in(stream->device, list.memory, list.contents.data(), static_cast<int64_t>(list.contents.size()));
        }
        if (graph != nullptr) {
            graph->tasks.push_back(list.memory);
        } else {
            release_by([&] { cudaFree(list.memory); });
        }
    }
    destroy(stream->tasks);
    stream->tasks = nullptr;
    return status;
}

void release_tasks(Graph* graph) {
    for (void* list : graph->tasks) release_by([&] { cudaFree(list); });
    graph->tasks.clear();
}

}  // namespace hydra::cuda
