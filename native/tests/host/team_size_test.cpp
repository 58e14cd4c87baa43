#include "cpu/team_size.h"

#include <gtest/gtest.h>

namespace hydra {
namespace {

constexpr int64_t MILLISECOND = 1'000'000;

// Runs of a millisecond on a machine that keeps threads from running for some part of the time.
struct Machine {
    int free_cores;  // others are kept busy by somebody else for half of the time
    bool tells = true;
    double lost_alone = 0;  // part of the time in which one thread works and the others wait for it
    int64_t now = 0, delayed = 0;
    int asked = 0;

    // One run of a size; how many threads the next one takes.
    int run(TeamSize& size) {
        const int threads = size.threads();
        const double lost = threads > free_cores ? 0.7 : 0;
        const auto time = static_cast<int64_t>(MILLISECOND / threads / (1 - lost) / (1 - lost_alone));
        now += time;
        delayed += static_cast<int64_t>(static_cast<double>(time) * lost);
        const auto waited = static_cast<int64_t>(static_cast<double>(time) * (lost + lost_alone) * (threads - 1));
        size.note(now, time, waited, [&] {
            ++asked;
            return tells ? delayed : -1;
        });
        return size.threads();
    }

    // Part of `span` in which runs had so many threads.
    double share(TeamSize& size, int threads, int64_t span) {
        const int64_t begin = now;
        int64_t with = 0;
        while (now < begin + span) {
            const int64_t before = now;
            const bool counts = size.threads() == threads;
            run(size);
            if (counts) with += now - before;
        }
        return static_cast<double>(with) / static_cast<double>(now - begin);
    }
};

TEST(TeamSize, StaysWholeWhereEachThreadHasACore) {
    for (int threads : {1, 2, 8}) {
        TeamSize size(threads);
        Machine machine{threads};
        EXPECT_EQ(machine.share(size, threads, 5000 * MILLISECOND), 1) << threads;
        EXPECT_EQ(machine.asked, 0) << "the system need not be asked";
    }
}

TEST(TeamSize, LeavesOutAThreadWhoseCoreOthersNeed) {
    TeamSize size(2);
    Machine machine{1};
    machine.share(size, 2, 100 * MILLISECOND);
    EXPECT_GT(machine.share(size, 1, 10000 * MILLISECOND), 0.95);
}

TEST(TeamSize, LeavesOutSeveral) {
    TeamSize size(8);
    Machine machine{5};
    machine.share(size, 8, 500 * MILLISECOND);
    EXPECT_GT(machine.share(size, 5, 10000 * MILLISECOND), 0.9);
}

TEST(TeamSize, TakesThemBackWhenTheCoreIsFree) {
    TeamSize size(3);
    Machine machine{1};
    machine.share(size, 3, 10000 * MILLISECOND);
    machine.free_cores = 3;
    machine.share(size, 3, 5000 * MILLISECOND);
    EXPECT_EQ(machine.share(size, 3, 1000 * MILLISECOND), 1);
}

TEST(TeamSize, KeepsThreadsThatWaitForWhatOneHasToDoAlone) {
    TeamSize size(4);
    Machine machine{4};
    machine.lost_alone = 0.8;
    EXPECT_EQ(machine.share(size, 4, 5000 * MILLISECOND), 1);
}

TEST(TeamSize, StaysWholeWhereTheSystemDoesNotTell) {
    TeamSize size(2);
    Machine machine{1, false};
    EXPECT_EQ(machine.share(size, 2, 5000 * MILLISECOND), 1);
}

}  // namespace
}  // namespace hydra
