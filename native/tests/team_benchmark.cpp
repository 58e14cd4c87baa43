// How long runs of a team take whose threads meet at many barriers, without and with an idle team in the same process,
// as an open model has one: team_benchmark [THREADS] [SECONDS].
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cpu/team.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int BARRIERS = 60;                        // of a run: a pass of six layers
constexpr std::chrono::microseconds OPERATION{12};  // between two

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

void measure(const char* name, hydra::Team& team, double seconds) {
    std::vector<double> times;
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
    while (Clock::now() < end) {
        const Clock::time_point begin = Clock::now();
        team.run(team.threads(), [&](int thread) {
            for (int i = 0; i < BARRIERS; ++i) {
                const Clock::time_point until = Clock::now() + OPERATION;
                while (Clock::now() < until) continue;
                team.barrier(thread);
            }
        });
        times.push_back(microseconds(Clock::now() - begin));
    }
    double sum = 0;
    for (const double time : times) sum += time;
    std::sort(times.begin(), times.end());
    std::printf("%-20s %8.0f %8.0f %8.0f %8.0f\n", name, times[times.size() / 2], sum / times.size(),
                times[times.size() * 99 / 100], times.back());
}

}  // namespace

int main(int count, char** arguments) {
    const int threads = count > 1 ? std::atoi(arguments[1]) : 2;
    const double seconds = count > 2 ? std::atof(arguments[2]) : 2;
    if (count > 3 || threads < 1 || !(seconds > 0)) {
        std::fprintf(stderr, "usage: %s [THREADS] [SECONDS]\n", arguments[0]);
        return 2;
    }
    std::printf("us of a run; busy    %8s %8s %8s %8s\n", "median", "mean", "99 %", "most");
    std::printf("%-20s %8.0f\n", "", microseconds(BARRIERS * OPERATION));
    hydra::Team team(threads);
    measure("alone", team, seconds);
    hydra::Team idle(threads);
    idle.run(threads, [](int) {});
    measure("beside an idle team", team, seconds);
}
