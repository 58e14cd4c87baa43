// Products by tiles, whose instructions are emulated, beside those of the portable kernels.
#define HYDRA_ISA emulated
#define HYDRA_EMULATED_TILES 1
#include "cpu/backend.h"
#include "cpu/tiles/instructions.h"
#include "products.h"
#include "toy_model.h"

namespace hydra::emulated {
const Kernels& kernels();
}

namespace hydra::test {
namespace {

constexpr hydra_type TYPES[] = {HYDRA_Q8_0, HYDRA_Q4_0, HYDRA_Q4_1, HYDRA_R8};

Backend backend_of_tiles(int threads) { return Backend(new CpuBackend(threads, &emulated::kernels())); }

TEST(Tiles, GiveTheBitsOfThePortableKernels) {
    const Backend backend = open_backend();
    const Kernels& portable = *find_kernels("portable");
    for (hydra_type type : TYPES) {
        // One to five blocks fill and empty what is computed one behind the other; 33 and 120 end within one.
        for (int64_t columns : {1, 32, 33, 64, 96, 120, 128, 160, 576}) {
            const Weights weights(backend, type, 33, columns);
            Random random(21);
            for (int rows : {1, 3, 4, 8, 9, 11, 12, 16, 17, 32, 33, 64}) {
                const Floats x = random.normal(rows * columns);
                EXPECT_TRUE(same_bits(product(emulated::kernels(), weights.packed(), x),
                                      product(portable, weights.packed(), x)))
                    << facts_of(type).name << ", " << columns << " columns, " << rows << " rows";
            }
        }
    }
}

TEST(Tiles, TakeOneTileOrMore) {
    const Backend backend = open_backend();
    for (hydra_type type : TYPES) {
        const Weights weights(backend, type, 67, 96);
        const Floats x = Random(22).normal(20 * 96);
        const Floats expected = product(*find_kernels("portable"), weights.packed(), x);
        for (int tiles : {1, 2, 3, 4}) {
            EXPECT_TRUE(same_bits(product(emulated::kernels(), weights.packed(), x, tiles), expected)) << tiles;
        }
    }
}

TEST(Tiles, ShowActivationsThatAreNotFinite) {
    const Backend backend = open_backend();
    for (hydra_type type : TYPES) {
        const Weights weights(backend, type, 17, 96);
        Floats x = Random(23).normal(16 * 96);
        const Floats before = product(emulated::kernels(), weights.packed(), x);
        x[5 * 96 + 40] = NAN;
        const Floats after = product(emulated::kernels(), weights.packed(), x);
        for (int n = 0; n < 17; ++n) {
            EXPECT_FALSE(std::isfinite(after[5 * 17 + n])) << facts_of(type).name;
            EXPECT_EQ(after[4 * 17 + n], before[4 * 17 + n]) << facts_of(type).name;
            EXPECT_EQ(after[6 * 17 + n], before[6 * 17 + n]) << facts_of(type).name;
        }
    }
}

TEST(Tiles, GiveTheBitsOfThePortableKernelsInWholePasses) {
    for (hydra_type type : TYPES) {
        const Backend plain = open_backend(2, "portable"), tiled = backend_of_tiles(2);
        const ToyModel model(plain, type), tiled_model(tiled, type);
        ToySession expected(model), session(tiled_model, 1, 64);
        Random random(24);
        std::vector<int32_t> prompt;
        for (int i = 0; i < 100; ++i) prompt.push_back(random.below(ToyModel::VOCABULARY));
        const int64_t before = emulated::tile_file.configurations;
        expected.feed(prompt, 1);
        session.feed(prompt, 40);
        EXPECT_TRUE(same_bits(session.cache(), expected.cache())) << facts_of(type).name;
        EXPECT_TRUE(same_bits(session.logits_of(0), expected.logits_of(0))) << facts_of(type).name;
        // The calling thread had its part in three passes, and has given back the tiles' state after each.
        EXPECT_EQ(emulated::tile_file.configurations - before, 3) << facts_of(type).name;
        EXPECT_FALSE(emulated::tile_file.configured) << facts_of(type).name;
    }
}

}  // namespace
}  // namespace hydra::test
