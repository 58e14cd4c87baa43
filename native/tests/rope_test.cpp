// The table of rotation angles: its values, and that it has what is in use and no more.
#include "program/rope.h"

#include "fixture.h"

namespace hydra::test {
namespace {

constexpr int HEAD_SIZE = 16;

Floats angles_at(const Rope& rope, int64_t position) {
    Floats angles(HEAD_SIZE);
    rope->backend->copy_out(angles.data(), rope->values() + position * HEAD_SIZE, HEAD_SIZE * 4);
    return angles;
}

Floats expected_at(int64_t position) {
    Floats angles;
    for (const float frequency : rope_frequencies(HEAD_SIZE)) {
        float sine, cosine;
        sincosf(static_cast<float>(position) * frequency, &sine, &cosine);
        angles.insert(angles.end(), {cosine, sine});
    }
    return angles;
}

TEST(Rope, HasTheSameValuesHoweverItGrew) {
    const Backend backend = open_backend();
    const Rope grown = rope(backend, HEAD_SIZE, 20000), short_one = rope(backend, HEAD_SIZE, 5);
    EXPECT_EQ(grown->covered(), FIRST_ANGLES);
    grown->cover(100);
    EXPECT_EQ(grown->covered(), FIRST_ANGLES);
    grown->cover(FIRST_ANGLES + 1);
    EXPECT_EQ(grown->covered(), 2 * FIRST_ANGLES) << "twice as many, so that growing is rare";
    grown->cover(1 << 24);
    EXPECT_EQ(grown->covered(), 20000) << "no more than there are";
    for (int64_t position : {0, 1, 4095, 4096, 8191, 8192, 19999}) {
        EXPECT_TRUE(same_bits(angles_at(grown, position), expected_at(position))) << position;
    }
    short_one->cover(100);
    EXPECT_EQ(short_one->covered(), 5);
    EXPECT_TRUE(same_bits(angles_at(short_one, 4), expected_at(4)));
}

TEST(Rope, ScalesThePairsThatItTurnsAndLeavesThoseOfFrequencyZero) {
    const Backend backend = open_backend();
    Floats frequencies = rope_frequencies(HEAD_SIZE);
    frequencies[HEAD_SIZE / 2 - 1] = 0;
    hydra_rope* out = nullptr;
    must(hydra_rope_create(backend, HEAD_SIZE, frequencies.data(), 1.25f, 100, &out));
    const Rope made(out);
    Floats expected = expected_at(77);
    for (float& value : expected) value *= 1.25f;
    expected[HEAD_SIZE - 2] = 1;
    expected[HEAD_SIZE - 1] = 0;
    EXPECT_TRUE(same_bits(angles_at(made, 77), expected));
}

// A sequence whose page table names one page again and again: positions matter here, not what is stored.
struct LongSequence {
    Batch batch;
    Rows rows;
    Program program;
    Buffer query, key, value;

    LongSequence(hydra_backend* backend, const Rope& rope, const Pool& kv, int pages)
        : query(poisoned(backend, HEAD_SIZE)), key(poisoned(backend, HEAD_SIZE)), value(poisoned(backend, HEAD_SIZE)) {
        hydra_batch* created = nullptr;
        must(hydra_batch_create(backend, 1, pages, &created));
        batch = Batch(created);
        rows = test::rows(batch);
        hydra_program* recorded = nullptr;
        must(hydra_program_create(backend, nullptr, &recorded));
        program = Program(recorded);
        must(record(program, hydra_append_kv{rows, query, key, value, 1, nullptr, nullptr, 0, rope, kv, 0}));
    }

    // A query of one row at a position, with as many pages as it needs.
    Floats at(int position) {
        const std::vector<int32_t> table(static_cast<size_t>(position / HYDRA_PAGE_POSITIONS + 1));
        must(hydra_batch_set_pages(batch, 0, table.data(), static_cast<int32_t>(table.size())));
        batch->change(0).result.length = position;
        const int32_t sequence = 0, count = 1, token = 0;
        must(hydra_rows_set_chains(rows, &sequence, &count, 1, &token, nullptr));
        const Floats values = Random(1).normal(HEAD_SIZE);
        must(hydra_buffer_write(query, 0, values.data(), HEAD_SIZE * 4));
        must(hydra_program_run(program));
        return contents(query, HEAD_SIZE);
    }
};

TEST(Rope, GrowsWithThePositionsOfRuns) {
    const Backend backend = open_backend(2);
    const Rope long_context = rope(backend, HEAD_SIZE, 1 << 24), covered = rope(backend, HEAD_SIZE, 1 << 24);
    covered->cover(20000);
    const Pool kv = pool(backend, 1, 1, HEAD_SIZE, 1);
    LongSequence growing(backend, long_context, kv, 1 << 16);
    LongSequence other(backend, long_context, kv, 1 << 16);
    LongSequence expected(backend, covered, kv, 1 << 16);
    for (int position : {3, 4095, 4096, 10000, 17, 16500}) {
        EXPECT_TRUE(same_bits(growing.at(position), expected.at(position))) << position;
        EXPECT_TRUE(same_bits(other.at(position % 4000), expected.at(position % 4000)))
            << "with a program that ran on a table of before";
    }
    EXPECT_GE(long_context->covered(), 16501);
    EXPECT_LE(long_context->covered(), 2 * 16512);
}

}  // namespace
}  // namespace hydra::test
