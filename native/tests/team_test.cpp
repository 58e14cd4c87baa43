#include "cpu/team.h"

#include <gtest/gtest.h>

#include <vector>

namespace hydra {
namespace {

TEST(Team, CallsTheTaskOnceOnEveryThread) {
    for (int threads : {1, 2, 3, 8}) {
        Team team(threads);
        std::vector<int> calls(threads);
        for (int run = 1; run <= 50; ++run) {
            team.run([](void* context, int thread) { ++(*static_cast<std::vector<int>*>(context))[thread]; }, &calls);
            EXPECT_EQ(calls, std::vector<int>(threads, run));
        }
    }
}

TEST(Team, RunsTheCallerAsThreadZero) {
    Team team(3);
    std::vector<std::thread::id> ids(3);
    team.run(
        [](void* context, int thread) {
            (*static_cast<std::vector<std::thread::id>*>(context))[thread] = std::this_thread::get_id();
        },
        &ids);
    EXPECT_EQ(ids[0], std::this_thread::get_id());
    EXPECT_NE(ids[1], ids[0]);
    EXPECT_NE(ids[2], ids[1]);
}

struct Phases {
    Team* team;
    std::vector<int> written;
    std::atomic<int> wrong{0};
};

// Everyone writes, everyone sees what all have written, in each of many phases.
void write_and_look(void* context, int thread) {
    auto* phases = static_cast<Phases*>(context);
    for (int phase = 1; phase <= 100; ++phase) {
        phases->written[thread] = phase;
        phases->team->barrier();
        for (int seen : phases->written) phases->wrong += seen != phase;
        phases->team->barrier();
    }
}

TEST(Team, NobodyPassesABarrierBeforeAllHaveArrived) {
    for (int threads : {1, 2, 3, 5}) {
        Team team(threads);
        Phases phases{&team, std::vector<int>(threads)};
        for (int run = 0; run < 5; ++run) team.run(write_and_look, &phases);
        EXPECT_EQ(phases.wrong, 0) << threads;
    }
}

TEST(Team, EndsWithoutEverHavingRun) {
    for (int i = 0; i < 20; ++i) Team team(4);
}

}  // namespace
}  // namespace hydra
