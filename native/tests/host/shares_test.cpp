#include "cpu/shares.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace hydra {
namespace {

// Takes all pieces of a call that a thread can get, and counts how often each part is taken.
void take_all(Shares& shares, uint64_t number, int thread, int threads, int64_t unit, std::vector<int>& taken) {
    const auto total = static_cast<int64_t>(taken.size());
    for (Shares::Piece piece; shares.take(number, thread, threads, total, unit, piece);) {
        ASSERT_LT(piece.begin, piece.end);
        for (int64_t i = piece.begin; i < piece.end; ++i) ++taken[static_cast<size_t>(i)];
    }
}

TEST(Shares, GivesEachPartOnceWhoeverTakesIt) {
    for (int threads : {1, 2, 3, 8}) {
        Shares shares(threads);
        uint64_t number = 0;
        for (int64_t total : {0, 1, 2, 7, 24, 513}) {
            for (int64_t unit : {1, 4, 12}) {
                for (int only : {0, threads - 1, threads}) {  // one thread does it all, or each takes a piece in turn
                    std::vector<int> taken(static_cast<size_t>(total));
                    ++number;
                    if (only < threads) {
                        take_all(shares, number, only, threads, unit, taken);
                    } else {
                        bool any = true;
                        while (any) {
                            any = false;
                            for (int t = 0; t < threads; ++t) {
                                Shares::Piece piece;
                                if (!shares.take(number, t, threads, total, unit, piece)) continue;
                                any = true;
                                for (int64_t i = piece.begin; i < piece.end; ++i) ++taken[static_cast<size_t>(i)];
                            }
                        }
                    }
                    EXPECT_EQ(taken, std::vector<int>(static_cast<size_t>(total), 1))
                        << threads << " threads, " << total << " parts of " << unit << ", " << only;
                }
            }
        }
    }
}

TEST(Shares, GivesAThreadItsOwnRangeFirstInPiecesThatGetSmaller) {
    Shares shares(2);
    Shares::Piece piece;
    std::vector<int64_t> begins, sizes;
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(shares.take(1, 1, 2, 64, 4, piece));
        begins.push_back(piece.begin);
        sizes.push_back(piece.end - piece.begin);
    }
    EXPECT_EQ(begins, (std::vector<int64_t>{32, 48, 56, 60}));
    EXPECT_EQ(sizes, (std::vector<int64_t>{16, 8, 4, 4}));
    ASSERT_TRUE(shares.take(1, 1, 2, 64, 4, piece));
    EXPECT_EQ(piece.begin, 16) << "the back of what the other has not touched yet";
    EXPECT_EQ(piece.end, 32);
}

TEST(Shares, HasNothingForWhoComesAfterTheOthersWentOn) {
    Shares shares(2);
    std::vector<int> first(10), second(10);
    take_all(shares, 1, 0, 2, 1, first);
    take_all(shares, 2, 0, 2, 1, second);
    Shares::Piece piece;
    EXPECT_FALSE(shares.take(1, 1, 2, 10, 1, piece));
    EXPECT_FALSE(shares.take(2, 1, 2, 10, 1, piece));
    EXPECT_TRUE(shares.take(3, 1, 2, 10, 1, piece));
}

TEST(Shares, BeginsAnewWithEachRun) {
    Shares shares(2);
    std::vector<int> taken(10);
    take_all(shares, 7, 0, 2, 1, taken);
    shares.begin_run();
    std::vector<int> again(10);
    take_all(shares, 1, 1, 2, 1, again);
    EXPECT_EQ(again, std::vector<int>(10, 1));
}

TEST(Shares, KnowsWhoIsLast) {
    Shares shares(3);
    for (uint64_t number : {1, 2, 5}) {
        EXPECT_FALSE(shares.is_last(number, 3));
        EXPECT_FALSE(shares.is_last(number, 3));
        EXPECT_TRUE(shares.is_last(number, 3));
    }
    shares.begin_run();
    EXPECT_TRUE(shares.is_last(1, 1));
    // One that comes to the next call before others have come to this one.
    EXPECT_FALSE(shares.is_last(6, 2));
    EXPECT_FALSE(shares.is_last(7, 2));
    EXPECT_TRUE(shares.is_last(6, 2));
    EXPECT_TRUE(shares.is_last(7, 2));
}

TEST(Shares, GivesEachPartOnceToThreadsThatRunTogether) {
    constexpr int THREADS = 4, CALLS = 2000, PARTS = 37;
    Shares shares(THREADS);
    std::vector<std::vector<std::atomic<int>>> taken(CALLS);
    for (auto& parts : taken) parts = std::vector<std::atomic<int>>(PARTS);
    std::atomic<int> last{0};
    std::vector<std::thread> team;
    for (int t = 0; t < THREADS; ++t) {
        team.emplace_back([&, t] {
            for (uint64_t number = 1; number <= CALLS; ++number) {
                for (Shares::Piece piece; shares.take(number, t, THREADS, PARTS, 2, piece);) {
                    for (int64_t i = piece.begin; i < piece.end; ++i) ++taken[number - 1][static_cast<size_t>(i)];
                }
            }
            if (shares.is_last(CALLS + 1, THREADS)) ++last;
        });
    }
    for (std::thread& thread : team) thread.join();
    for (const auto& parts : taken) {
        for (const auto& count : parts) ASSERT_EQ(count.load(), 1);
    }
    EXPECT_EQ(last.load(), 1);
}

}  // namespace
}  // namespace hydra
