// Blocks, threads and barriers of the emulation: fibers on one thread of the host.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <list>
#include <utility>
#include <vector>

#include "cuda/emulation/cuda.h"
#include "cuda/emulation/memory.h"

#ifndef __x86_64__
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace hydra::emulation {

namespace {

// Not a power of two, or the same place of all stacks would have to share a few lines of the cache.
constexpr size_t STACK_BYTES = 128 * 1024 + 17 * 64, GIVEN_BYTES = 64;
constexpr unsigned MOST_THREADS = 1024, MOST_FIBERS = MOST_CLUSTER * MOST_THREADS, WARP_LANES = 32;

// A stack and where it stopped. switch_stack leaves one and goes on with another.
#ifdef __x86_64__
struct Stack {
    void* pointer;

    void prepare(unsigned char* memory, void (*entry)()) {
        void** top = reinterpret_cast<void**>(memory + STACK_BYTES) - 8;
        std::memset(top, 0, 8 * sizeof(void*));
        top[6] = reinterpret_cast<void*>(entry);  // after the six saved registers: where `ret` goes
        pointer = top;
    }
};

extern "C" void hydra_emulation_switch(void** save, void* load);
asm(R"(
.text
.globl hydra_emulation_switch
.hidden hydra_emulation_switch
.type hydra_emulation_switch, @function
hydra_emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

void switch_stack(Stack& from, Stack& to) { hydra_emulation_switch(&from.pointer, to.pointer); }
#else
struct Stack {
    ucontext_t context;

    void prepare(unsigned char* memory, void (*entry)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = memory;
        context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&context, entry, 0);
    }
};

void switch_stack(Stack& from, Stack& to) { swapcontext(&from.context, &to.context); }
#endif

enum class State {
    READY,
    AT_WARP_BARRIER,
    AT_BLOCK_BARRIER,
    AT_FIRST_BARRIER,
    AT_CLUSTER_BARRIER,
    AT_COUNT,
    AT_PHASE,
    DONE
};

constexpr size_t COPIED_BYTES = 16;

struct Copy {
    void* target;
    const void* source;
    unsigned group;
    unsigned char bytes[COPIED_BYTES];  // when it was begun
};

struct BulkCopy {
    unsigned char* target;
    const unsigned char* source;
    std::vector<unsigned char> bytes;  // when it was begun
};

// A barrier with phases.
struct Phases {
    unsigned char* place;
    unsigned arrivals, missing;    // threads of a phase; that have not arrived yet
    int64_t bytes;                 // announced, and not written yet
    uint32_t ended;                // phases
    unsigned thread, meetings;     // who began it, and how often the block had met by then
    bool announced;                // to copies
    std::vector<BulkCopy> copies;  // under way, oldest first
};
constexpr uint64_t PHASES_MARK = 0x8d1fe62b40c397a5;  // what stands at `place`

struct Fiber {
    Stack stack;
    uint3 index;
    State state;
    Site site;
    bool waited;               // for the kernels before
    std::vector<Copy> copies;  // under way, oldest first
    unsigned group;            // of the next copy
    const int32_t* counter;    // that it waits for
    int32_t count;             // to be
    const Phases* phases;      // of which it waits for one
    uint32_t parity;           // of that
    uint64_t bulk_copied;      // a sum over what it has asked for before it waited for the kernels before
};

struct Warp {
    unsigned arrived, left, rounds;
    Site site;  // of those that have arrived
    // Two in turn: a lane may give again while another still reads what was given before.
    unsigned char given[2][WARP_LANES * GIVEN_BYTES];
};

struct Block {
    uint3 index;
    unsigned char* shared = nullptr;
    unsigned living, at_barrier, at_first, meetings;
    Site barrier, first;  // of those at it
    std::list<Phases> phases;
};

// Runs blocks side by side: threads [block * threads, (block + 1) * threads) are those of one.
struct Machine {
    unsigned char* stacks = nullptr;
    std::vector<Fiber> fibers{MOST_FIBERS};
    std::vector<Warp> warps{MOST_FIBERS / WARP_LANES};
    Block blocks[MOST_COOPERATING];
    Stack scheduler;
    const std::function<void()>* body = nullptr;
    const char* kernel = "";
    size_t shared_bytes = 0;
    bool cooperative = false;                                        // or blocks of a cluster
    unsigned together = 1;                                           // blocks side by side
    unsigned threads = 0;                                            // of a block
    unsigned current = 0, living = 0, at_barrier = 0, barriers = 0;  // of all these; barriers that all have met at
    Site barrier;                                                    // of those at it
    bool reversed = false, failed = false;
    bool copies_early = false, bulk_copies = false;
    EarlyCopies* begins = nullptr;       // where threads end as they wait: what they have copied by then
    const EarlyCopies* early = nullptr;  // what they had copied when they ran ahead
    char message[512] = "";
} machine;

Block& block_of(unsigned thread) { return machine.blocks[thread / machine.threads]; }

void go_on_with(unsigned thread, Stack& from) {
    machine.current = thread;
    threadIdx = machine.fibers[thread].index;
    blockIdx = block_of(thread).index;
    switch_stack(from, machine.fibers[thread].stack);
}

// The first of `count` threads from `first` on, in order, that can go on, or MOST_FIBERS.
unsigned first_ready(unsigned first, unsigned count) {
    for (unsigned n = 0; n < count; ++n) {
        const unsigned i = first + (machine.reversed ? count - 1 - n : n);
        if (machine.fibers[i].state == State::READY) return i;
    }
    return MOST_FIBERS;
}

// The next thread in order that can go on, or MOST_FIBERS. A warp runs for as long as it can, while its stacks are in
// the cache, and so does a block: the first runs as far ahead of the others as barriers let it.
unsigned next_ready() {
    const unsigned first = machine.current / WARP_LANES * WARP_LANES;
    for (unsigned n = 1; n < WARP_LANES; ++n) {
        const unsigned lane = (machine.reversed ? machine.current - n : machine.current + n) % WARP_LANES;
        if (machine.fibers[first + lane].state == State::READY) return first + lane;
    }
    const unsigned of_block = first_ready(machine.current / machine.threads * machine.threads, machine.threads);
    if (of_block < MOST_FIBERS) return of_block;
    const unsigned all = machine.together * machine.threads, found = first_ready(0, all);
    if (found < MOST_FIBERS || !machine.cooperative) return found;
    for (unsigned i = 0; i < all; ++i) {
        Fiber& fiber = machine.fibers[i];
        if (fiber.state == State::AT_COUNT && *fiber.counter >= fiber.count) fiber.state = State::READY;
    }
    return first_ready(0, all);
}

// The running thread waits or has ended; who called run_block goes on where no other thread can.
void leave() {
    Stack& mine = machine.fibers[machine.current].stack;
    const unsigned next = machine.failed ? MOST_FIBERS : next_ready();
    if (next == MOST_FIBERS) {
        switch_stack(mine, machine.scheduler);
    } else {
        go_on_with(next, mine);
    }
}

// Records what the running thread did wrong; the block is given up.
void break_off(const char* what, Site site) {
    if (!machine.failed) {
        snprintf(machine.message, sizeof machine.message, "kernel %s, block (%u, %u, %u), thread %u, %s:%u: %s",
                 machine.kernel, blockIdx.x, blockIdx.y, blockIdx.z, machine.current % machine.threads,
                 site.file_name(), site.line(), what);
    }
    machine.failed = true;
    leave();
}

bool same(const Site& a, const Site& b) {
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

// `count` threads from `first` on that wait so can go on.
void release(State waiting, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i) {
        if (machine.fibers[i].state == waiting) machine.fibers[i].state = State::READY;
    }
}

void release_block_barrier(Block& block) {
    if (block.at_barrier == 0 || block.at_barrier < block.living) return;
    block.at_barrier = 0;
    ++block.meetings;
    release(State::AT_BLOCK_BARRIER, static_cast<unsigned>(&block - machine.blocks) * machine.threads, machine.threads);
}

void end() {
    Block& block = block_of(machine.current);
    machine.fibers[machine.current].state = State::DONE;
    --machine.living;
    --block.living;
    ++machine.warps[machine.current / WARP_LANES].left;
    for (const Phases& phases : block.phases) {
        if (block.living == 0 && machine.begins == nullptr && !phases.copies.empty()) {
            break_off("a block ends while what it copies is under way", machine.fibers[machine.current].site);
        }
    }
    release_block_barrier(block);
    leave();
}

void enter() {
    (*machine.body)();
    const Fiber& fiber = machine.fibers[machine.current];
    if (!fiber.waited) break_off("a thread ends that has not waited for the kernels before", fiber.site);
    end();
}

// The running thread's place among those of all blocks.
size_t thread_of_grid() {
    const size_t block = (size_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    return block * machine.threads + machine.current % machine.threads;
}

// Adds where a copy is from, and what is there.
void add_copy(uint64_t& sum, const void* source, size_t bytes) {
    const auto add = [&sum](uint64_t word) { sum = (sum ^ word) * 0x9e3779b97f4a7c15 + (sum >> 29); };
    add(reinterpret_cast<uintptr_t>(source));
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word;
        std::memcpy(&word, static_cast<const unsigned char*>(source) + i, sizeof word);
        add(word);
    }
}

const char* name_of(State waiting) {
    switch (waiting) {
        case State::AT_WARP_BARRIER:
            return "warp collective";
        case State::AT_CLUSTER_BARRIER:
            return "barrier of the cluster";
        case State::AT_COUNT:
            return "count of blocks";
        case State::AT_PHASE:
            return "end of the phase";
        default:
            return "barrier";
    }
}

// Announced bytes that no copy under way will write.
int64_t missing_bytes(const Phases& phases) {
    int64_t bytes = phases.bytes;
    for (const BulkCopy& copy : phases.copies) bytes -= static_cast<int64_t>(copy.bytes.size());
    return bytes;
}

// Runs the threads of the blocks until all are done, or no one can go on.
void run_together() {
    const unsigned all = machine.together * machine.threads;
    machine.living = all;
    machine.at_barrier = machine.barriers = 0;
    for (Warp& warp : machine.warps) warp.arrived = warp.left = warp.rounds = 0;
    for (unsigned b = 0; b < machine.together; ++b) {
        Block& block = machine.blocks[b];
        block.living = machine.threads;
        block.at_barrier = block.at_first = block.meetings = 0;
        block.phases.clear();
        if (block.shared != nullptr) std::memset(block.shared, 0xff, machine.shared_bytes);
    }
    for (unsigned n = 0; n < all; ++n) {
        Fiber& fiber = machine.fibers[n];
        const unsigned i = n % machine.threads;
        fiber.stack.prepare(machine.stacks + n * STACK_BYTES, enter);
        fiber.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
        fiber.state = State::READY;
        fiber.waited = false;
        fiber.site = Site::current();
        fiber.copies.clear();
        fiber.group = 0;
        fiber.bulk_copied = 0;
    }
    go_on_with(machine.reversed ? all - 1 : 0, machine.scheduler);
    if (machine.living == 0 || machine.failed) return;
    machine.failed = true;
    for (unsigned i = 0; i < all; ++i) {
        const Fiber& fiber = machine.fibers[i];
        if (fiber.state == State::DONE) continue;
        const uint3 block = block_of(i).index;
        if (fiber.state == State::AT_PHASE) {
            snprintf(machine.message, sizeof machine.message,
                     "kernel %s, block (%u, %u, %u), %s:%u: the phase of parity %u for which thread %u waits does not "
                     "end: %u threads have not arrived, %lld announced bytes are not those of copies",
                     machine.kernel, block.x, block.y, block.z, fiber.site.file_name(), fiber.site.line(), fiber.parity,
                     i % machine.threads, fiber.phases->missing, static_cast<long long>(missing_bytes(*fiber.phases)));
            return;
        }
        snprintf(machine.message, sizeof machine.message,
                 "kernel %s, block (%u, %u, %u), %s:%u: not all threads reach the %s at which thread %u waits",
                 machine.kernel, block.x, block.y, block.z, fiber.site.file_name(), fiber.site.line(),
                 name_of(fiber.state), i % machine.threads);
        return;
    }
}

}  // namespace

const char* failure() { return machine.message; }

void* shared_memory() { return block_of(machine.current).shared; }

namespace {

bool run_blocks(const Launch& launch, const std::function<void()>& thread) {
    static const bool reversed = getenv("HYDRA4J_EMULATION_REVERSED") != nullptr;
    static const bool copies_early = getenv("HYDRA4J_EMULATION_EARLY") != nullptr;
    const auto& [name, grid, block, shared_bytes, cluster, cooperative] = launch;
    const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
    machine.kernel = name;
    machine.body = &thread;
    machine.reversed = reversed;
    machine.copies_early = copies_early;
    machine.bulk_copies = capability() >= 90;
    machine.failed = false;
    machine.threads = block.x * block.y * block.z;
    machine.cooperative = cooperative;
    machine.shared_bytes = shared_bytes;
    if (machine.threads == 0 || machine.threads > MOST_THREADS || machine.threads % WARP_LANES != 0) {
        snprintf(machine.message, sizeof machine.message, "kernel %s: %u threads a block, must be whole warps to 1024",
                 name, machine.threads);
        return false;
    }
    if (cluster == 0 || cluster > MOST_CLUSTER || grid.x % cluster != 0) {
        snprintf(machine.message, sizeof machine.message,
                 "kernel %s: clusters of %u of %u blocks, must be up to %u and divide them", name, cluster, grid.x,
                 MOST_CLUSTER);
        return false;
    }
    if (cooperative && (cluster > 1 || blocks > MOST_COOPERATING || blocks * machine.threads > MOST_FIBERS)) {
        snprintf(machine.message, sizeof machine.message,
                 "kernel %s: a cooperative launch of %u blocks of %u threads, must be up to %u of %u in all, without "
                 "clusters",
                 name, static_cast<unsigned>(blocks), machine.threads, MOST_COOPERATING, MOST_FIBERS);
        return false;
    }
    const unsigned together = machine.together = cooperative ? static_cast<unsigned>(blocks) : cluster;
    if (machine.stacks == nullptr) {
        machine.stacks = static_cast<unsigned char*>(mmap(nullptr, STACK_BYTES * MOST_FIBERS, PROT_READ | PROT_WRITE,
                                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    }
    for (unsigned b = 0; b < together; ++b) {
        machine.blocks[b].shared =
            shared_bytes > 0 ? static_cast<unsigned char*>(guarded_memory(shared_bytes, 16)) : nullptr;
    }
    gridDim = grid;
    blockDim = block;
    for (uint64_t n = 0; n < blocks && !machine.failed; n += together) {
        const uint64_t first = reversed ? blocks - together - n : n;
        for (unsigned b = 0; b < together; ++b) {
            const uint64_t i = first + b;
            machine.blocks[b].index = {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                                       static_cast<unsigned>(i / grid.x / grid.y)};
        }
        run_together();
    }
    for (unsigned b = 0; b < together; ++b) release_guarded(machine.blocks[b].shared);
    return !machine.failed;
}

}  // namespace

bool run_kernel(const Launch& launch, const std::function<void()>& thread, const EarlyCopies* early) {
    machine.begins = nullptr;
    machine.early = early;
    return run_blocks(launch, thread);
}

bool begin_kernel(const Launch& launch, const std::function<void()>& thread, EarlyCopies& early) {
    const dim3 grid = launch.grid, block = launch.block;
    early.assign(size_t{grid.x} * grid.y * grid.z * block.x * block.y * block.z, 0);
    machine.begins = &early;
    machine.early = nullptr;
    return run_blocks(launch, thread);
}

void wait_for_kernels_before(Site site) {
    Fiber& fiber = machine.fibers[machine.current];
    fiber.site = site;
    if (fiber.waited) break_off("a thread waits for the kernels before a second time", site);
    fiber.waited = true;
    uint64_t sum = fiber.bulk_copied;
    for (const Copy& copy : fiber.copies) add_copy(sum, copy.source, COPIED_BYTES);
    if (machine.begins != nullptr) {
        (*machine.begins)[thread_of_grid()] = sum;
        end();
    }
    if (machine.early != nullptr && (*machine.early)[thread_of_grid()] != sum) {
        break_off("before it waits, a thread copies what the kernel before writes", site);
    }
}

namespace {

// The running thread comes to a barrier at which `count` threads and those of `place` wait.
void arrive(State waiting, unsigned& count, Site& place, Site site, const char* others_elsewhere) {
    Fiber& fiber = machine.fibers[machine.current];
    if (count > 0 && !same(place, site)) break_off(others_elsewhere, site);
    place = site;
    fiber.state = waiting;
    fiber.site = site;
    ++count;
}

void wait_for_release() {
    if (machine.fibers[machine.current].state != State::READY) leave();
}

}  // namespace

void block_barrier(Site site) {
    Block& block = block_of(machine.current);
    arrive(State::AT_BLOCK_BARRIER, block.at_barrier, block.barrier, site,
           "threads of the block wait at different barriers");
    release_block_barrier(block);
    wait_for_release();
}

void barrier_of_first(unsigned threads, Site site) {
    Block& block = block_of(machine.current);
    if (threads > machine.threads) break_off("the block has less threads than are to meet", site);
    if (machine.current % machine.threads >= threads) break_off("a thread is none of those that are to meet", site);
    arrive(State::AT_FIRST_BARRIER, block.at_first, block.first, site, "threads wait at different barriers");
    if (block.at_first == threads) {
        block.at_first = 0;
        release(State::AT_FIRST_BARRIER, machine.current / machine.threads * machine.threads, threads);
    }
    wait_for_release();
}

void wait_for_count(const int32_t* counter, int32_t count, Site site) {
    if (!machine.cooperative) break_off("a block waits for others that may not run", site);
    Fiber& fiber = machine.fibers[machine.current];
    if (*counter >= count) return;
    fiber.counter = counter;
    fiber.count = count;
    fiber.state = State::AT_COUNT;
    fiber.site = site;
    leave();
}

void cluster_barrier(Site site) {
    if (machine.cooperative) break_off("a cooperative launch has no clusters", site);
    arrive(State::AT_CLUSTER_BARRIER, machine.at_barrier, machine.barrier, site,
           "threads of the cluster wait at different barriers");
    const unsigned all = machine.together * machine.threads;
    if (machine.at_barrier == all) {
        machine.at_barrier = 0;
        ++machine.barriers;
        release(State::AT_CLUSTER_BARRIER, 0, all);
    }
    wait_for_release();
}

const void* shared_of_block(const void* own, size_t bytes, unsigned rank, Site site) {
    const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(own) - block_of(machine.current).shared);
    if (machine.cooperative || rank >= machine.together) break_off("the cluster has no such block", site);
    if (offset + bytes > machine.shared_bytes) break_off("no address of the block's shared memory", site);
    if (machine.barriers == 0) break_off("a block is read that may not have begun", site);
    const Block& block = machine.blocks[rank];
    if (block.living < machine.threads) break_off("a block is read that may have ended", site);
    return block.shared + offset;
}

void begin_copy(void* shared, const void* source) {
    Fiber& fiber = machine.fibers[machine.current];
    std::memset(shared, 0xff, COPIED_BYTES);
    Copy copy{shared, source, fiber.group, {}};
    std::memcpy(copy.bytes, source, COPIED_BYTES);
    fiber.copies.push_back(copy);
}

void end_copies() { ++machine.fibers[machine.current].group; }

void wait_for_copies(unsigned pending_groups, Site site) {
    Fiber& fiber = machine.fibers[machine.current];
    auto copy = fiber.copies.begin();
    for (; copy != fiber.copies.end() && copy->group + pending_groups < fiber.group; ++copy) {
        if (std::memcmp(copy->source, copy->bytes, COPIED_BYTES) != 0) {
            break_off("what a thread copies was changed while the copy was under way", site);
        }
        std::memcpy(copy->target, copy->source, COPIED_BYTES);
    }
    fiber.copies.erase(fiber.copies.begin(), copy);
}

bool has_bulk_copies() { return machine.bulk_copies; }

namespace {

void require_bulk_copy(std::initializer_list<const void*> addresses, int64_t bytes, Site site) {
    if (!machine.bulk_copies) break_off("the device has no bulk copies", site);
    bool is_whole = bytes > 0 && bytes % 16 == 0;
    for (const void* address : addresses) is_whole &= reinterpret_cast<uintptr_t>(address) % 16 == 0;
    if (!is_whole) break_off("addresses and bytes of a bulk copy must be multiples of 16", site);
}

// The phases of a barrier, as far as the running thread can know of it.
Phases& phases_at(void* barrier, Site site) {
    Block& block = block_of(machine.current);
    for (Phases& phases : block.phases) {
        if (phases.place != barrier) continue;
        if (std::memcmp(barrier, &PHASES_MARK, sizeof PHASES_MARK) != 0) break_off("a barrier was written over", site);
        if (phases.thread != machine.current && (phases.meetings == block.meetings || !phases.announced)) {
            break_off("a barrier is used that another thread has begun and not announced", site);
        }
        return phases;
    }
    break_off("no barrier was begun here", site);
    return block.phases.front();
}

void write(Phases& phases, const BulkCopy& copy) {
    std::memcpy(copy.target, copy.source, copy.bytes.size());
    phases.bytes -= static_cast<int64_t>(copy.bytes.size());
}

// Ends the phase if it can. Copies that are under way are so for as long as nobody waits for them.
void end_phase(Phases& phases, Site site) {
    if (phases.missing > 0 || missing_bytes(phases) != 0) return;
    const Block& block = block_of(machine.current);
    const unsigned first = static_cast<unsigned>(&block - machine.blocks) * machine.threads;
    const auto waits = [&](unsigned thread) {
        const Fiber& fiber = machine.fibers[first + thread];
        return fiber.state == State::AT_PHASE && fiber.phases == &phases;
    };
    bool is_waited_for = phases.copies.empty();
    for (unsigned i = 0; i < machine.threads && !is_waited_for; ++i) is_waited_for = waits(i);
    if (!is_waited_for) return;
    for (const BulkCopy& copy : phases.copies) {
        if (std::memcmp(copy.source, copy.bytes.data(), copy.bytes.size()) != 0) {
            break_off("what a thread copies was changed while the copy was under way", site);
        }
        write(phases, copy);
    }
    phases.copies.clear();
    ++phases.ended;
    phases.missing = phases.arrivals;
    for (unsigned i = 0; i < machine.threads; ++i) {
        if (waits(i)) machine.fibers[first + i].state = State::READY;
    }
}

}  // namespace

void begin_phases(void* barrier, unsigned arrivals, Site site) {
    Block& block = block_of(machine.current);
    auto* place = static_cast<unsigned char*>(barrier);
    if (reinterpret_cast<uintptr_t>(place) % 8 != 0 || place < block.shared ||
        place + sizeof PHASES_MARK > block.shared + machine.shared_bytes) {
        break_off("a barrier must be 8 aligned bytes of shared memory", site);
    }
    for (const Phases& phases : block.phases) {
        if (phases.place == place) break_off("a barrier is begun a second time", site);
    }
    std::memcpy(place, &PHASES_MARK, sizeof PHASES_MARK);
    block.phases.push_back({place, arrivals, arrivals, 0, 0, machine.current, block.meetings, false, {}});
}

void order_before_copies() {
    for (Phases& phases : block_of(machine.current).phases) {
        if (phases.thread == machine.current) phases.announced = true;
    }
}

void expect_bytes(void* barrier, int bytes, Site site) {
    constexpr int64_t MOST = (1 << 20) - 1;
    Phases& phases = phases_at(barrier, site);
    phases.bytes += bytes;
    if (bytes < 0 || phases.bytes > MOST) break_off("a phase has less than a megabyte of copies", site);
}

void arrive(void* barrier, Site site) {
    Phases& phases = phases_at(barrier, site);
    if (phases.missing == 0) break_off("more threads arrive than the phase is for", site);
    --phases.missing;
    end_phase(phases, site);
}

void wait_for_phase(void* barrier, uint32_t parity, Site site) {
    Phases& phases = phases_at(barrier, site);
    if (phases.ended % 2 != parity) return;
    Fiber& fiber = machine.fibers[machine.current];
    fiber.phases = &phases;
    fiber.parity = parity;
    fiber.state = State::AT_PHASE;
    fiber.site = site;
    end_phase(phases, site);
    wait_for_release();
}

void copy_bulk(void* shared, const void* source, int bytes, void* barrier, Site site) {
    require_bulk_copy({shared, source}, bytes, site);
    Block& block = block_of(machine.current);
    Phases& phases = phases_at(barrier, site);
    auto* target = static_cast<unsigned char*>(shared);
    const auto* from = static_cast<const unsigned char*>(source);
    if (target < block.shared || target + bytes > block.shared + machine.shared_bytes) {
        break_off("a bulk copy goes beyond the block's shared memory", site);
    }
    if (!phases.announced) break_off("a barrier was not announced to copies", site);
    for (const Phases& others : block.phases) {
        for (const BulkCopy& other : others.copies) {
            if (target < other.target + other.bytes.size() && other.target < target + bytes) {
                break_off("two copies under way write to the same place", site);
            }
        }
    }
    Fiber& fiber = machine.fibers[machine.current];
    if (!fiber.waited) add_copy(fiber.bulk_copied, source, static_cast<size_t>(bytes));
    BulkCopy copy{target, from, {from, from + bytes}};
    if (machine.copies_early) {
        write(phases, copy);
        end_phase(phases, site);
    } else {
        std::memset(target, 0xff, static_cast<size_t>(bytes));
        phases.copies.push_back(std::move(copy));
        end_phase(phases, site);
    }
}

void bring_to_cache(const void* source, size_t bytes, Site site) {
    require_bulk_copy({source}, static_cast<int64_t>(bytes), site);
    // Faults where there is no memory.
    const auto* from = static_cast<const volatile unsigned char*>(source);
    static_cast<void>(from[0]);
    static_cast<void>(from[bytes - 1]);
}

const unsigned char* meet_warp(const void* mine, size_t bytes, Site site, void (*combine)(unsigned char* all)) {
    const unsigned index = machine.current / WARP_LANES, first = index * WARP_LANES;
    Warp& warp = machine.warps[index];
    unsigned char* given = warp.given[warp.rounds & 1];
    if (warp.left > 0) break_off("a lane of the warp has left", site);
    if (warp.arrived > 0 && !same(warp.site, site)) break_off("lanes of the warp are at different collectives", site);
    warp.site = site;
    std::memcpy(given + (machine.current - first) * GIVEN_BYTES, mine, bytes);
    Fiber& fiber = machine.fibers[machine.current];
    fiber.site = site;
    if (++warp.arrived < WARP_LANES) {
        fiber.state = State::AT_WARP_BARRIER;
        leave();
        return given;
    }
    if (combine != nullptr) combine(given);
    warp.arrived = 0;
    ++warp.rounds;
    for (unsigned i = first; i < first + WARP_LANES; ++i) {
        if (machine.fibers[i].state == State::AT_WARP_BARRIER) machine.fibers[i].state = State::READY;
    }
    return given;
}

}  // namespace hydra::emulation
