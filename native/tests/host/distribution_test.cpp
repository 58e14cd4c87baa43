#include "cpu/kernels.h"
#include "fixture.h"
#include "typical.h"

namespace hydra::test {
namespace {

bool same_bits(const Distribution& a, const Distribution& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// On every instruction set, with the same bits on all.
Distribution distribution_of(const Floats& x, float temperature) {
    const auto n = static_cast<int64_t>(x.size());
    const Distribution expected = find_kernels("portable")->distribution(x.data(), n, 1 / temperature);
    for (const std::string& isa : instruction_sets()) {
        const Distribution p = find_kernels(isa.c_str())->distribution(x.data(), n, 1 / temperature);
        EXPECT_TRUE(same_bits(p, expected)) << isa << ", " << n;
    }
    return expected;
}

TEST(Distribution, EqualsTheReference) {
    Random random(1);
    for (int64_t n : {1, 2, 15, 16, 17, 33, 511, 512, 513, 1001, 49153}) {
        for (float deviation : {0.0f, 0.1f, 3.0f, 40.0f}) {
            for (float temperature : {0.05f, 0.7f, 1.0f, 30.0f}) {
                const Floats x = random.normal(n, deviation);
                const Distribution p = distribution_of(x, temperature);
                const TypicalRow expected(x, temperature);
                SCOPED_TRACE(testing::Message() << n << " values, " << deviation << ", " << temperature);
                EXPECT_EQ(p.best, *std::max_element(x.begin(), x.end()));
                EXPECT_NEAR(p.entropy, expected.entropy, 1e-5 * (1 + expected.entropy));
                for (int64_t i : {int64_t{0}, n / 2, n - 1}) {
                    const double found = (x[i] - p.best) / temperature - p.log_sum;
                    EXPECT_NEAR(found, expected.log_p[i], 1e-6 * std::abs(expected.log_p[i]) + 2e-6);
                }
            }
        }
    }
}

TEST(Distribution, LosesNothingOfManySmallValuesBesideALargeOne) {
    // Each of them is less than half a unit in the last place of the large one.
    Floats x(200000, -17.4f);
    x[0] = 0;
    const TypicalRow expected(x, 1);
    const Distribution p = distribution_of(x, 1);
    // One after the other they would be gone: 12500 in the large one's lane, 3.5e-4.
    EXPECT_NEAR(p.log_sum, -expected.log_p[0], 5e-5);
    EXPECT_NEAR(p.entropy, expected.entropy, 5e-5);
}

TEST(Distribution, HasNoLikelihoodsWhereAValueIsNotFinite) {
    for (float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
        for (int at : {0, 15, 16, 36}) {
            Floats x(37, 1.0f);
            x[at] = odd;
            for (const std::string& isa : instruction_sets()) {
                EXPECT_TRUE(std::isnan(find_kernels(isa.c_str())->distribution(x.data(), 37, 1).log_sum)) << isa;
            }
        }
    }
}

}  // namespace
}  // namespace hydra::test
