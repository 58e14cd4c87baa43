// How the threads of a run share out the parts of an operation.
//
// Each thread begins with an equal range of the parts and takes pieces from the front of it, half of what is left at a
// time: so it walks through memory in one direction, and the thread that computed a part in one operation has, as a
// rule, what belongs to it in the next one. Who has no more takes pieces from the back of others' ranges. So nobody
// waits for more than a piece of a thread whose core is slow or was taken away.
//
// All threads of a run make the same calls in the same order, and number them. A range carries the number of the call
// that it was last taken from in: an older one is whole still, a younger one says that all parts of this call are
// taken, as a thread goes on when there are none.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace hydra {

class Shares {
  public:
    static constexpr int64_t MOST_PARTS = (int64_t{1} << 20) - 1;

    struct Piece {
        int64_t begin, end;
    };

    explicit Shares(int threads) : threads_(threads), ranges_(new Range[threads]) {}

    // Before a run, while there is none.
    void begin_run() {
        for (int t = 0; t < threads_; ++t) ranges_[t].state.store(0, std::memory_order_relaxed);
        for (auto& comers : comers_) comers.store(0, std::memory_order_relaxed);
    }

    // Takes a piece of call `number` = 1, 2, ..., which shares out parts 0 ... total - 1, at most MOST_PARTS, in pieces
    // of a multiple of `unit` parts, or the end of a range; false: all are taken.
    bool take(uint64_t number, int thread, int threads, int64_t total, int64_t unit, Piece& piece) {
        for (int i = 0; i < threads; ++i) {
            const int owner = thread + i < threads ? thread + i : thread + i - threads;
            const Piece whole{total * owner / threads, total * (owner + 1) / threads};
            if (take_of(ranges_[owner].state, number, whole, unit, i == 0, piece)) return true;
        }
        return false;
    }

    // Of a call that shares nothing out: whether all other threads have made it before, whose writes are seen then. Of
    // calls whose numbers are CALLS_APART apart there is a barrier between.
    static constexpr uint64_t CALLS_APART = 4;
    bool is_last(uint64_t number, int threads) {
        std::atomic<uint64_t>& comers = comers_[number % CALLS_APART];
        uint64_t seen = comers.load(std::memory_order_relaxed), now;
        do {
            now = seen / MOST_THREADS == number ? seen + 1 : number * MOST_THREADS + 1;
        } while (!comers.compare_exchange_weak(seen, now, std::memory_order_acq_rel, std::memory_order_relaxed));
        return static_cast<int>(now % MOST_THREADS) == threads;
    }

  private:
    static constexpr int PLACE_BITS = 20;
    static constexpr uint64_t PLACES = uint64_t{1} << PLACE_BITS, MOST_THREADS = 1024;

    struct alignas(64) Range {
        std::atomic<uint64_t> state{0};  // number of the call, begin and end of what is left, each of PLACE_BITS
    };

    static uint64_t state_of(uint64_t number, int64_t begin, int64_t end) {
        return (number << PLACE_BITS | static_cast<uint64_t>(begin)) << PLACE_BITS | static_cast<uint64_t>(end);
    }

    static bool take_of(std::atomic<uint64_t>& state, uint64_t number, const Piece& whole, int64_t unit,
                        bool from_front, Piece& piece) {
        uint64_t seen = state.load(std::memory_order_relaxed), left;
        do {
            const uint64_t its_number = seen >> 2 * PLACE_BITS;
            if (its_number > number) return false;
            const bool untouched = its_number < number;
            const int64_t begin = untouched ? whole.begin : static_cast<int64_t>(seen >> PLACE_BITS & (PLACES - 1));
            const int64_t end = untouched ? whole.end : static_cast<int64_t>(seen & (PLACES - 1));
            if (begin == end) return false;
            const int64_t half = ((end - begin) / 2 + unit - 1) / unit * unit;
            const int64_t count = std::min(std::max(half, unit), end - begin);
            piece = from_front ? Piece{begin, begin + count} : Piece{end - count, end};
            left = from_front ? state_of(number, begin + count, end) : state_of(number, begin, end - count);
        } while (!state.compare_exchange_weak(seen, left, std::memory_order_relaxed, std::memory_order_relaxed));
        return true;
    }

    const int threads_;
    std::unique_ptr<Range[]> ranges_;  // [threads]
    // Number of the call, and how many threads have made it.
    alignas(64) std::atomic<uint64_t> comers_[CALLS_APART]{};
};

}  // namespace hydra
