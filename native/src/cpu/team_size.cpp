#include "cpu/team_size.h"

#include <algorithm>

namespace hydra {

namespace {

constexpr int64_t WINDOW = 20'000'000;  // ns of runs that are judged together, some of the system's time slices
constexpr int64_t FIRST_PAUSE = 10'000'000, LONGEST_PAUSE = 800'000'000;

}  // namespace

void TeamSize::note(int64_t now, int64_t time, int64_t waited, const std::function<int64_t()>& delayed) {
    time_ += time;
    waited_ += waited;
    if (size_ < threads_ && now >= return_at_ && !returned_) {
        ++size_;
        returned_ = true;
        delayed_ = delayed();
        return begin_window();
    }
    if (time_ < WINDOW) return;
    // All but the one that is waited for wait.
    const bool slow = size_ > 1 && waited_ / (size_ - 1) > time_ / size_;
    if (!slow) {
        delayed_ = -1;
        if (returned_) pause_ = FIRST_PAUSE;
        returned_ = false;
        return begin_window();
    }
    // Threads also wait for what one of them has to do alone; then the system did not keep any from running.
    const int64_t before = delayed_;
    delayed_ = delayed();
    if (before >= 0 && delayed_ - before > waited_ / size_ / 2) {
        pause_ = returned_ ? std::min(2 * pause_, LONGEST_PAUSE) : FIRST_PAUSE;
        --size_;
        returned_ = false;
        return_at_ = now + pause_;
        delayed_ = -1;
    }
    begin_window();
}

}  // namespace hydra
