// How many threads of a team a run takes. Where other processes want the cores too, a thread that has to wait for one
// holds all others up at every barrier, and a run is faster without it.
//
// Of n threads that lose more than one part in n of their time so, n - 1 do as much. The last one is then left out for
// a while, and longer each time that its return goes wrong.
#pragma once

#include <cstdint>
#include <functional>

namespace hydra {

class TeamSize {
  public:
    explicit TeamSize(int threads) : threads_(threads), size_(threads) {}

    // Threads of the next run, at least one.
    int threads() const { return size_; }

    // After each run: it ended at `now`, took `time`, and its threads together waited so long for others that have no
    // core, as far as can be told without asking the system. `delayed` asks it for how long threads 0 ... threads() - 1
    // together have been ready and not run so far, or says -1 where it does not tell; it is called now and then. All in
    // ns.
    void note(int64_t now, int64_t time, int64_t waited, const std::function<int64_t()>& delayed);

  private:
    void begin_window() { time_ = waited_ = 0; }

    const int threads_;
    int size_;
    int64_t time_ = 0, waited_ = 0;      // of the runs of the window
    int64_t delayed_ = -1;               // when the window began, or -1: not asked
    bool returned_ = false;              // the last thread has just come back
    int64_t return_at_ = 0, pause_ = 0;  // when it may, and how long it was to stay away
};

}  // namespace hydra
