#include "drafting.h"

namespace hydra::test {
namespace {

TEST(DraftLevels, AreAsManyAsTheTreeIsDeepForEachSequence) {
    const Backend backend = open_backend(2);
    Random random(2);
    for (int nodes : {1, 2, 17, 64}) {
        Draft draft(backend, random_shape(random, nodes), random, 4);
        must(record(draft.pass.program, hydra_draft_levels{draft.expanded, draft.pass.rows, draft.level_rows}));
        draft.pass.run();
        EXPECT_EQ(hydra_rows_count(draft.level_rows), 3 * draft.shape.levels());
        for (int level = 0; level < draft.shape.levels(); ++level) draft.expect_level_rows(level, 1, 3 * level);
    }
}

}  // namespace
}  // namespace hydra::test
