#include "train/cuda/known_ids.h"

#include <gtest/gtest.h>

namespace hydra::test {
namespace {

using Ids = std::vector<int32_t>;

class KnownIdsTest : public ::testing::Test {
  protected:
    void put(int64_t at, const Ids& ids) { known_.put(memory_ + at, ids.data(), static_cast<int64_t>(ids.size())); }
    // What is known of `count` ids, or nothing.
    Ids known(int64_t at, int64_t count) const {
        Ids found;
        return known_.find(memory_ + at, count, found) ? found : Ids{};
    }

    int32_t memory_[32] = {};
    train::KnownIds known_;
};

TEST_F(KnownIdsTest, AllThatWasPutOrAPartOfItIsKnown) {
    put(4, {5, 6, 7});
    EXPECT_EQ(known(4, 3), (Ids{5, 6, 7}));
    EXPECT_EQ(known(5, 2), (Ids{6, 7}));
}

TEST_F(KnownIdsTest, NothingIsKnownOfWhatLiesBeside) {
    put(4, {5, 6, 7});
    EXPECT_EQ(known(4, 4), Ids{});
    EXPECT_EQ(known(3, 2), Ids{});
    EXPECT_EQ(known(7, 1), Ids{});
}

TEST_F(KnownIdsTest, WhatIsPutTwiceIsKnownAsItWasPutLast) {
    put(4, {5, 6, 7});
    put(4, {8, 9, 10});
    EXPECT_EQ(known(4, 3), (Ids{8, 9, 10}));
}

TEST_F(KnownIdsTest, WhatIsPutOverAPartLeavesNothingKnownOfTheRest) {
    for (const int64_t at : {2, 6}) {
        put(4, {5, 6, 7});
        put(at, {1, 2, 3});
        EXPECT_EQ(known(at, 3), (Ids{1, 2, 3}));
        EXPECT_EQ(known(4, 3), Ids{}) << at;
    }
}

TEST_F(KnownIdsTest, WhatAKernelHasOverwrittenIsNotKnown) {
    put(4, {5, 6, 7});
    put(8, {1});
    put(12, {2, 3});
    known_.overwritten(memory_ + 6, 7);
    EXPECT_EQ(known(4, 3), Ids{});
    EXPECT_EQ(known(8, 1), Ids{});
    EXPECT_EQ(known(12, 2), Ids{});
}

TEST_F(KnownIdsTest, WhatTouchesStays) {
    put(4, {5, 6, 7});
    put(7, {1});
    known_.overwritten(memory_ + 8, 4);
    EXPECT_EQ(known(4, 3), (Ids{5, 6, 7}));
    EXPECT_EQ(known(7, 1), (Ids{1}));
}

}  // namespace
}  // namespace hydra::test
