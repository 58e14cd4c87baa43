// Blocks, threads and barriers of the emulation: fibers on one thread of the host.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
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
constexpr unsigned MOST_THREADS = 1024, WARP_LANES = 32;

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

enum class State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };

constexpr size_t COPIED_BYTES = 16;

struct Copy {
    void* target;
    const void* source;
    unsigned group;
};

struct Fiber {
    Stack stack;
    uint3 index;
    State state;
    Site site;
    bool waited;               // for the kernels before
    std::vector<Copy> copies;  // under way, oldest first
    unsigned group;            // of the next copy
};

struct Warp {
    unsigned arrived, left, rounds;
    Site site;  // of those that have arrived
    // Two in turn: a lane may give again while another still reads what was given before.
    unsigned char given[2][WARP_LANES * GIVEN_BYTES];
};

struct Machine {
    unsigned char* stacks = nullptr;
    std::vector<Fiber> fibers{MOST_THREADS};
    std::vector<Warp> warps{MOST_THREADS / WARP_LANES};
    Stack scheduler;
    const std::function<void()>* body = nullptr;
    const char* kernel = "";
    void* shared = nullptr;
    unsigned threads = 0, current = 0, living = 0, at_barrier = 0;
    Site barrier;  // of those at it
    bool reversed = false, failed = false;
    EarlyCopies* begins = nullptr;       // where threads end as they wait: what they have copied by then
    const EarlyCopies* early = nullptr;  // what they had copied when they ran ahead
    char message[512] = "";
} machine;

void go_on_with(unsigned thread, Stack& from) {
    machine.current = thread;
    threadIdx = machine.fibers[thread].index;
    switch_stack(from, machine.fibers[thread].stack);
}

// The next thread in order that can go on, or MOST_THREADS. A warp runs for as long as it can, while its stacks are in
// the cache: so the first runs as far ahead of the others as barriers let it.
unsigned next_ready() {
    const unsigned first = machine.current / WARP_LANES * WARP_LANES;
    for (unsigned n = 1; n < WARP_LANES; ++n) {
        const unsigned lane = (machine.reversed ? machine.current - n : machine.current + n) % WARP_LANES;
        if (machine.fibers[first + lane].state == State::READY) return first + lane;
    }
    for (unsigned n = 0; n < machine.threads; ++n) {
        const unsigned i = machine.reversed ? machine.threads - 1 - n : n;
        if (machine.fibers[i].state == State::READY) return i;
    }
    return MOST_THREADS;
}

// The running thread waits or has ended; who called run_block goes on where no other thread can.
void leave() {
    Stack& mine = machine.fibers[machine.current].stack;
    const unsigned next = machine.failed ? MOST_THREADS : next_ready();
    if (next == MOST_THREADS) {
        switch_stack(mine, machine.scheduler);
    } else {
        go_on_with(next, mine);
    }
}

// Records what the running thread did wrong; the block is given up.
void break_off(const char* what, Site site) {
    if (!machine.failed) {
        snprintf(machine.message, sizeof machine.message, "kernel %s, block (%u, %u, %u), thread %u, %s:%u: %s",
                 machine.kernel, blockIdx.x, blockIdx.y, blockIdx.z, machine.current, site.file_name(), site.line(),
                 what);
    }
    machine.failed = true;
    leave();
}

bool same(const Site& a, const Site& b) {
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

void release_block_barrier() {
    if (machine.at_barrier == 0 || machine.at_barrier < machine.living) return;
    machine.at_barrier = 0;
    for (unsigned i = 0; i < machine.threads; ++i) {
        if (machine.fibers[i].state == State::AT_BLOCK_BARRIER) machine.fibers[i].state = State::READY;
    }
}

void end() {
    machine.fibers[machine.current].state = State::DONE;
    --machine.living;
    ++machine.warps[machine.current / WARP_LANES].left;
    release_block_barrier();
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
    return block * machine.threads + machine.current;
}

uint64_t sum_of(const std::vector<Copy>& copies) {
    uint64_t sum = 0;
    const auto add = [&sum](uint64_t word) { sum = (sum ^ word) * 0x9e3779b97f4a7c15 + (sum >> 29); };
    for (const Copy& copy : copies) {
        uint64_t words[COPIED_BYTES / 8];
        std::memcpy(words, copy.source, COPIED_BYTES);
        add(reinterpret_cast<uintptr_t>(copy.source));
        for (const uint64_t word : words) add(word);
    }
    return sum;
}

// Runs the threads until all are done, or no one can go on.
void run_block() {
    machine.living = machine.threads;
    machine.at_barrier = 0;
    for (Warp& warp : machine.warps) warp.arrived = warp.left = warp.rounds = 0;
    for (unsigned i = 0; i < machine.threads; ++i) {
        Fiber& fiber = machine.fibers[i];
        fiber.stack.prepare(machine.stacks + i * STACK_BYTES, enter);
        fiber.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
        fiber.state = State::READY;
        fiber.waited = false;
        fiber.site = Site::current();
        fiber.copies.clear();
        fiber.group = 0;
    }
    go_on_with(machine.reversed ? machine.threads - 1 : 0, machine.scheduler);
    if (machine.living == 0 || machine.failed) return;
    machine.failed = true;
    for (unsigned i = 0; i < machine.threads; ++i) {
        const Fiber& fiber = machine.fibers[i];
        if (fiber.state == State::DONE) continue;
        snprintf(machine.message, sizeof machine.message,
                 "kernel %s, block (%u, %u, %u), %s:%u: not all threads reach the %s at which thread %u waits",
                 machine.kernel, blockIdx.x, blockIdx.y, blockIdx.z, fiber.site.file_name(), fiber.site.line(),
                 fiber.state == State::AT_WARP_BARRIER ? "warp collective" : "barrier", i);
        return;
    }
}

}  // namespace

const char* failure() { return machine.message; }

void* shared_memory() { return machine.shared; }

namespace {

bool run_blocks(const char* name, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread) {
    static const bool reversed = getenv("HYDRA4J_EMULATION_REVERSED") != nullptr;
    machine.kernel = name;
    machine.body = &thread;
    machine.reversed = reversed;
    machine.failed = false;
    machine.threads = block.x * block.y * block.z;
    if (machine.threads == 0 || machine.threads > MOST_THREADS || machine.threads % WARP_LANES != 0) {
        snprintf(machine.message, sizeof machine.message, "kernel %s: %u threads a block, must be whole warps to 1024",
                 name, machine.threads);
        return false;
    }
    if (machine.stacks == nullptr) {
        machine.stacks = static_cast<unsigned char*>(mmap(nullptr, STACK_BYTES * MOST_THREADS, PROT_READ | PROT_WRITE,
                                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    }
    void* shared = shared_bytes > 0 ? guarded_memory(shared_bytes, 16) : nullptr;
    machine.shared = shared;
    gridDim = grid;
    blockDim = block;
    const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
    for (uint64_t n = 0; n < blocks && !machine.failed; ++n) {
        const uint64_t i = reversed ? blocks - 1 - n : n;
        blockIdx = {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                    static_cast<unsigned>(i / grid.x / grid.y)};
        if (shared != nullptr) std::memset(shared, 0xff, shared_bytes);
        run_block();
    }
    release_guarded(shared);
    return !machine.failed;
}

}  // namespace

bool run_kernel(const char* name, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread,
                const EarlyCopies* early) {
    machine.begins = nullptr;
    machine.early = early;
    return run_blocks(name, grid, block, shared_bytes, thread);
}

bool begin_kernel(const char* name, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread,
                  EarlyCopies& early) {
    early.assign(size_t{grid.x} * grid.y * grid.z * block.x * block.y * block.z, 0);
    machine.begins = &early;
    machine.early = nullptr;
    return run_blocks(name, grid, block, shared_bytes, thread);
}

void wait_for_kernels_before(Site site) {
    Fiber& fiber = machine.fibers[machine.current];
    fiber.site = site;
    if (fiber.waited) break_off("a thread waits for the kernels before a second time", site);
    fiber.waited = true;
    const uint64_t sum = sum_of(fiber.copies);
    if (machine.begins != nullptr) {
        (*machine.begins)[thread_of_grid()] = sum;
        end();
    }
    if (machine.early != nullptr && (*machine.early)[thread_of_grid()] != sum) {
        break_off("before it waits, a thread copies what the kernel before writes", site);
    }
}

void block_barrier(Site site) {
    Fiber& fiber = machine.fibers[machine.current];
    if (machine.at_barrier > 0 && !same(machine.barrier, site)) {
        break_off("threads of the block wait at different barriers", site);
    }
    machine.barrier = site;
    fiber.state = State::AT_BLOCK_BARRIER;
    fiber.site = site;
    ++machine.at_barrier;
    release_block_barrier();
    if (fiber.state != State::READY) leave();
}

void begin_copy(void* shared, const void* source) {
    Fiber& fiber = machine.fibers[machine.current];
    std::memset(shared, 0xff, COPIED_BYTES);
    fiber.copies.push_back({shared, source, fiber.group});
}

void end_copies() { ++machine.fibers[machine.current].group; }

void wait_for_copies(unsigned pending_groups) {
    Fiber& fiber = machine.fibers[machine.current];
    auto copy = fiber.copies.begin();
    for (; copy != fiber.copies.end() && copy->group + pending_groups < fiber.group; ++copy) {
        std::memcpy(copy->target, copy->source, COPIED_BYTES);
    }
    fiber.copies.erase(fiber.copies.begin(), copy);
}

const unsigned char* meet_warp(const void* mine, size_t bytes, Site site) {
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
    warp.arrived = 0;
    ++warp.rounds;
    for (unsigned i = first; i < first + WARP_LANES; ++i) {
        if (machine.fibers[i].state == State::AT_WARP_BARRIER) machine.fibers[i].state = State::READY;
    }
    return given;
}

}  // namespace hydra::emulation
