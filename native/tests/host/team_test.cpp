#include "cpu/team.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <stdexcept>
#include <string>
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

TEST(Team, CallsTheTaskOnTheFirstThreadsOfARunAlone) {
    Team team(4);
    std::vector<int> calls(4), expected(4);
    for (int run = 0; run < 100; ++run) {
        const int count = 1 + run * 7 % 4;
        team.run(
            count, [](void* context, int thread) { ++(*static_cast<std::vector<int>*>(context))[thread]; }, &calls);
        for (int thread = 0; thread < count; ++thread) ++expected[thread];
        EXPECT_EQ(calls, expected) << run;
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
        phases->team->barrier(thread);
        for (int other = 0; other < phases->team->running(); ++other) phases->wrong += phases->written[other] != phase;
        phases->team->barrier(thread);
    }
}

TEST(Team, NobodyPassesABarrierBeforeAllHaveArrived) {
    for (int threads : {1, 2, 3, 5}) {
        Team team(threads);
        Phases phases{&team, std::vector<int>(threads)};
        for (int run = 0; run < 5; ++run) {
            for (int count = threads; count > 0; --count) team.run(count, write_and_look, &phases);
        }
        EXPECT_EQ(phases.wrong, 0) << threads;
    }
}

TEST(Team, EndsWithoutEverHavingRun) {
    for (int i = 0; i < 20; ++i) Team team(4);
}

// Threads that throw in a phase; the others wait for them at its barriers.
struct Faults {
    Team* team;
    std::vector<int> phase_of;  // [threads] in which the thread throws, 0: never
    std::vector<int> reached;   // [threads]
};

void throw_in_phase(void* context, int thread) {
    auto* faults = static_cast<Faults*>(context);
    for (int phase = 1; phase <= 5; ++phase) {
        if (faults->phase_of[thread] == phase) throw std::runtime_error("thread " + std::to_string(thread));
        faults->team->barrier(thread);
        faults->reached[thread] = phase;
    }
}

std::string failure_of(Faults& faults) {
    try {
        faults.team->run(throw_in_phase, &faults);
    } catch (const std::runtime_error& failure) {
        return failure.what();
    }
    return "";
}

TEST(Team, ThrowsWhatAThreadThrewAndRunsAgain) {
    for (int threads : {1, 2, 3, 5}) {
        Team team(threads);
        for (int thrower = 0; thrower < threads; ++thrower) {
            for (int phase : {1, 3, 5}) {
                Faults faults{&team, std::vector<int>(threads), std::vector<int>(threads)};
                faults.phase_of[thrower] = phase;
                EXPECT_EQ(failure_of(faults), "thread " + std::to_string(thrower));
                for (int reached : faults.reached) EXPECT_LT(reached, phase) << "nobody passes the thrower's barrier";
                faults.phase_of[thrower] = 0;
                EXPECT_EQ(failure_of(faults), "");
                EXPECT_EQ(faults.reached, std::vector<int>(threads, 5));
            }
        }
    }
}

TEST(Team, ThrowsWhatAThreadThrewInARunOfSomeThreads) {
    Team team(4);
    for (int thrower = 0; thrower < 4; ++thrower) {
        for (int count = thrower + 1; count <= 4; ++count) {
            Faults faults{&team, std::vector<int>(4), std::vector<int>(4)};
            faults.phase_of[thrower] = 2;
            std::string failure;
            try {
                team.run(count, throw_in_phase, &faults);
            } catch (const std::runtime_error& thrown) {
                failure = thrown.what();
            }
            EXPECT_EQ(failure, "thread " + std::to_string(thrower));
            EXPECT_EQ(failure_of(faults), failure);
            faults.phase_of[thrower] = 0;
            EXPECT_EQ(failure_of(faults), "");
            EXPECT_EQ(faults.reached, std::vector<int>(4, 5));
        }
    }
}

struct Latecomer {
    Team* team;
    std::atomic<int> waiting{0};
};

// Thread 0 comes long after the others.
void be_late(void* context, int thread) {
    auto* late = static_cast<Latecomer*>(context);
    if (thread > 0) {
        ++late->waiting;
    } else {
        while (late->waiting < late->team->running() - 1) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    late->team->barrier(thread);
}

TEST(Team, CountsTheTimeThatThreadsSleepForOthers) {
    Team team(3);
    EXPECT_EQ(team.waited(), 0);
    Latecomer late{&team};
    team.run(be_late, &late);
    EXPECT_GT(team.waited(), 0);
}

TEST(Team, ASleeperIsWokenByItsOwnCountAlone) {
    AwaitedCount own, other;
    long sleeps = 0;
    std::thread sleeper([&] {
        EXPECT_EQ(own.sleep(1), 1u);
        rusage usage{};
        getrusage(RUSAGE_THREAD, &usage);
        sleeps = usage.ru_nvcsw;
    });
    while (own.sleepers.load() == 0) std::this_thread::yield();
    for (int i = 0; i < 1000; ++i) {
        other.value.fetch_add(1);
        other.wake();
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    own.value.store(1);
    own.wake();
    sleeper.join();
    EXPECT_LT(sleeps, 100);
    EXPECT_EQ(own.sleepers.load(), 0u);
    EXPECT_EQ(other.wakes.load(), 0u);
}

TEST(Team, ThrowsOneOfManyExceptions) {
    for (int round = 0; round < 50; ++round) {
        Team team(4);
        Faults faults{&team, {2, 2, 2, 2}, std::vector<int>(4)};
        EXPECT_EQ(failure_of(faults).substr(0, 7), "thread ");
        faults.phase_of = {0, 0, 0, 0};
        EXPECT_EQ(failure_of(faults), "");
        EXPECT_EQ(faults.reached, std::vector<int>(4, 5));
    }
}

}  // namespace
}  // namespace hydra
