#include <map>
#include <set>

#include "trees.h"

namespace hydra::test {
namespace {

using Path = std::vector<int32_t>;  // tokens below the root

// Proposals that depend on the path alone: k tokens and their log-probabilities.
struct Drafter {
    uint64_t seed;
    int k;
    bool by_depth;  // the same for all paths of a length

    std::vector<std::pair<int32_t, float>> after(int sequence, const Path& path) const {
        uint64_t key = seed * 31 + sequence;
        for (int32_t token : by_depth ? Path(path.size(), 1) : path) key = key * 1000003 + token + 1;
        Random random(static_cast<uint32_t>(key ^ key >> 32));
        std::vector<std::pair<int32_t, float>> proposed;
        double left = 1;
        for (int r = 0; r < k; ++r) {
            const double share = left * (0.2 + 0.5 * random.below(10000) / 10000.0);
            left -= share;
            // Distinct tokens, of which the chain's is often one.
            proposed.emplace_back((random.below(3) + 3 * r) % (3 * k), static_cast<float>(std::log(share)));
        }
        return proposed;
    }
};

// A tree that grows as the header says, in double precision.
struct Reference {
    struct Node {
        double score;
        double chance;  // of the chain's nodes
    };
    std::map<Path, Node> nodes{{Path(), {0, 0}}};
    std::vector<Path> open{Path()};
    double least;

    Reference(const Path& chain, const Floats& chances, int most, double its_least) : least(its_least) {
        Path path;
        double score = 0;
        for (size_t i = 0; i < chain.size() && static_cast<int>(i) + 1 < most; ++i) {
            path.push_back(chain[i]);
            score += std::log(chances[i]);
            if (std::exp(score) < least) break;
            nodes[path] = {score, chances[i]};
        }
    }

    void add(int sequence, const Drafter& drafter, size_t level) {
        for (const Path& parent : open) {
            const auto guessed = std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) {
                return node.first.size() == level + 1 && Path(node.first.begin(), node.first.end() - 1) == parent &&
                       node.second.chance > 0;
            });
            const double chance = guessed == nodes.end() ? 0 : guessed->second.chance;
            const Path guess = guessed == nodes.end() ? Path() : guessed->first;
            const double base = nodes[parent].score;
            for (const auto& [token, value] : drafter.after(sequence, parent)) {
                Path child = parent;
                child.push_back(token);
                const double p = std::exp(value);
                if (child == guess) {
                    const double change = std::log(chance + (1 - chance) * p) - std::log(chance);
                    for (auto& [path, node] : nodes) {
                        const bool follows = path.size() > level && node.chance > 0;
                        if (follows) node.score += change;
                    }
                } else {
                    nodes[child] = {base + value + std::log(1 - chance), 0};
                }
            }
        }
    }

    std::vector<std::pair<double, Path>> ranking() const {
        std::vector<std::pair<double, Path>> ranked;
        for (const auto& [path, node] : nodes) ranked.emplace_back(-node.score, path);
        std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first < b.first : a.second.size() < b.second.size();
        });
        return ranked;
    }

    void keep(size_t count) {
        const auto ranked = ranking();
        for (size_t i = 0; i < ranked.size(); ++i) {
            if (i >= count || std::exp(-ranked[i].first) < least) nodes.erase(ranked[i].second);
        }
    }

    // The nodes whose children come next.
    void choose_open(size_t level, int width, bool is_full) {
        open.clear();
        auto ranked = ranking();
        if (is_full) ranked.pop_back();
        for (const auto& [score, path] : ranked) {
            if (path.size() == level + 1 && static_cast<int>(open.size()) < width) open.push_back(path);
        }
    }
};

struct Case {
    int nodes, levels, width, k, guesses;
    bool by_depth = false;
    float least = 0;
};

// Trees of some sequences that grow level by level, as the rows show them.
struct Growing {
    Case shape;
    std::vector<int> lengths;
    Drafter drafter;
    Pass pass;
    Tree trees;
    Rows prompts;
    std::vector<Path> chains;
    std::vector<Floats> chances;
    std::vector<Reference> expected;

    Growing(hydra_backend* backend, const Case& made, const std::vector<int>& its_lengths, uint64_t seed)
        : shape(made),
          lengths(its_lengths),
          drafter{seed, made.k, made.by_depth},
          pass(backend, its_lengths, static_cast<int>(its_lengths.size()) * made.nodes + 70) {
        hydra_tree* out = nullptr;
        must(hydra_tree_create(pass.batch, &out));
        trees = Tree(out);
        prompts = rows(pass.batch, 70);
        Random random(static_cast<uint32_t>(seed));
        for (size_t s = 0; s < lengths.size(); ++s) {
            Path chain;
            Floats chance;
            for (int i = 0; i < made.guesses; ++i) {
                chain.push_back(random.below(3 * made.k));
                chance.push_back(0.05f + 0.9f * random.below(1000) / 1000);
            }
            must(hydra_tree_set_growth(trees, static_cast<int32_t>(s), made.nodes, made.least, made.levels, made.width,
                                       chain.data(), chance.data(), made.guesses));
            chains.push_back(chain);
            chances.push_back(chance);
            expected.emplace_back(chain, chance, made.nodes, made.least);
        }
        must(record(pass.program, hydra_expand{trees, prompts, pass.rows}));
        must(hydra_program_run(pass.program));
    }

    // The device's copy of a tree.
    TreeData data(int sequence) const {
        TreeData copy;
        pass.backend->copy_out(&copy, trees->memory.on_device(trees->data + sequence), sizeof copy);
        return copy;
    }

    Path path_of(const RowsView& view, const Segment& segment, int node) const {
        Path path;
        for (int i = 1; i <= node; ++i) {
            if ((view.ancestors[segment.row + node] >> i & 1) != 0) path.push_back(view.tokens[segment.row + i]);
        }
        return path;
    }

    void grow(int level, int64_t budget) {
        pass.rows->fetch();
        const RowsView view = pass.rows->view;
        const int trees_now = view.active_trees();
        std::vector<int32_t> ids;
        Floats values;
        const auto offer = [&](int sequence, const Path& path) {
            for (const auto& [token, value] : drafter.after(sequence, path)) {
                ids.push_back(token);
                values.push_back(value);
            }
        };
        for (int s = 0; s < trees_now; ++s) {
            const Segment& segment = view.segments[s];
            if (shape.by_depth) {
                offer(segment.sequence, Path(static_cast<size_t>(level)));
                continue;
            }
            const TreeData tree = data(segment.sequence);
            for (int i = 0; i < tree.drafting(level, segment.count); ++i) {
                offer(segment.sequence, path_of(view, segment, tree.level_node(level, i)));
            }
        }
        const int entries = static_cast<int>(lengths.size()) * std::max(1, shape.nodes);
        const Top top = test::top(pass.backend, shape.k, entries);
        set_ids(top, ids);
        std::copy(values.begin(), values.end(), top->values);
        hydra_program* out = nullptr;
        must(hydra_program_create(pass.backend, nullptr, &out));
        const Program program(out);
        must(hydra_tree_set_budget(trees, static_cast<int32_t>(budget)));
        must(record(program, hydra_grow{trees, level, top, shape.by_depth ? 0 : -1, prompts, pass.rows}));
        must(hydra_program_run(program));

        for (int s = 0; s < trees_now; ++s) {
            const int sequence = view.segments[s].sequence;
            expected[sequence].add(sequence, drafter, level);
            expected[sequence].keep(shape.nodes);
        }
        share(view, trees_now, budget);
        for (int s = 0; s < trees_now; ++s) {
            Reference& tree = expected[view.segments[s].sequence];
            if (level + 1 < shape.levels) {
                tree.choose_open(level, shape.width, static_cast<int>(tree.nodes.size()) == shape.nodes);
            }
        }
    }

    void share(const RowsView& view, int trees_now, int64_t budget) {
        std::vector<std::tuple<double, int>> all;
        for (int s = 0; s < trees_now; ++s) {
            for (const auto& [score, path] : expected[view.segments[s].sequence].ranking()) {
                if (!path.empty()) all.emplace_back(score, s);
            }
        }
        std::sort(all.begin(), all.end());
        std::map<int, size_t> kept;
        for (size_t i = 0; i < all.size() && static_cast<int64_t>(i) < budget; ++i) ++kept[std::get<1>(all[i])];
        for (int s = 0; s < trees_now; ++s) expected[view.segments[s].sequence].keep(1 + kept[s]);
    }

    void expect_rows(int level) {
        pass.rows->fetch();
        const RowsView& view = pass.rows->view;
        int row = 0;
        for (int s = 0; s < view.active_trees(); ++s) {
            const Segment& segment = view.segments[s];
            Reference& tree = expected[segment.sequence];
            ASSERT_EQ(segment.row, row);
            ASSERT_EQ(segment.count, static_cast<int>(tree.nodes.size())) << "sequence " << segment.sequence;
            EXPECT_EQ(segment.first, lengths[segment.sequence]);
            EXPECT_EQ(view.last_rows[s], row + segment.count - 1);
            std::set<Path> found;
            for (int i = 0; i < segment.count; ++i) {
                const Path path = path_of(view, segment, i);
                found.insert(path);
                EXPECT_TRUE(tree.nodes.count(path)) << "node " << i << " of sequence " << segment.sequence;
                EXPECT_EQ(view.positions[row + i], lengths[segment.sequence] + static_cast<int>(path.size()));
                EXPECT_NE(view.ancestors[row + i] >> i & 1, 0u);
            }
            EXPECT_EQ(found.size(), tree.nodes.size()) << "a node stands twice";
            const TreeData data = this->data(segment.sequence);
            std::set<Path> open;
            for (int i = 0; i < data.drafting(level + 1, segment.count); ++i) {
                const int node = data.level_node(level + 1, i);
                EXPECT_EQ(data.row_of[node], i);
                open.insert(path_of(view, segment, node));
            }
            if (level + 1 < shape.levels) {
                EXPECT_EQ(open, std::set<Path>(tree.open.begin(), tree.open.end()));
            } else {
                EXPECT_TRUE(open.empty());
            }
            row += segment.count;
        }
    }

    void run(int64_t budget = HYDRA_MAX_NODES * HYDRA_MAX_SEQUENCES) {
        for (int level = 0; level < shape.levels; ++level) {
            grow(level, budget);
            expect_rows(level);
        }
    }
};

TEST(Grow, KeepsWhatIsLikeliestToBeRight) {
    const Backend backend = open_backend(2);
    uint64_t seed = 1;
    for (const Case& shape : {Case{8, 4, 4, 5, 0}, Case{1, 3, 1, 2, 0}, Case{64, 4, 24, 32, 0}, Case{17, 6, 3, 4, 0},
                              Case{5, 1, 1, 9, 0}, Case{12, 4, 5, 6, 0, true}}) {
        Growing(backend, shape, {40}, ++seed).run();
        if (!emulated()) Growing(backend, shape, {40, 7, 31}, ++seed).run();
    }
}

TEST(Grow, TakesAChainForASecondOpinion) {
    const Backend backend = open_backend(2);
    uint64_t seed = 100;
    for (const Case& shape : {Case{8, 4, 4, 5, 3}, Case{16, 4, 6, 4, 12}, Case{6, 2, 3, 3, 20}, Case{64, 4, 20, 8, 40},
                              Case{20, 3, 4, 4, 5, true}}) {
        for (int round = 0; round < (emulated() ? 1 : 8); ++round) {
            Growing(backend, shape, {33, 64}, ++seed).run();
        }
    }
}

TEST(Grow, LeavesOutWhatIsUnlikely) {
    const Backend backend = open_backend();
    uint64_t seed = 300;
    for (float least : {0.02f, 0.1f, 0.4f, 1.0f}) {
        Growing(backend, {32, 4, 16, 8, 0, false, least}, {40, 12}, ++seed).run();
        Growing(backend, {32, 3, 16, 5, 9, false, least}, {40, 12}, ++seed).run();
    }
}

TEST(Grow, SharesABudgetAmongSequences) {
    const Backend backend = open_backend(2);
    uint64_t seed = 200;
    for (int budget : {0, 1, 7, 30, 1000}) {
        Growing(backend, {16, 4, 6, 5, 0}, {40, 7, 31, 90, 12}, ++seed).run(budget);
    }
}

TEST(Grow, LeavesTheChainsOfPromptsBehindTheTrees) {
    const Backend backend = open_backend();
    Growing growing(backend, {9, 2, 4, 4, 0}, {40, 12, 31}, 5);
    const int32_t sequence = 1, count = 3, tokens[] = {8, 9, 10};
    must(hydra_batch_set_root(growing.pass.batch, 1, -1));
    must(hydra_rows_set_chains(growing.prompts, &sequence, &count, 1, tokens, nullptr));
    must(hydra_program_run(growing.pass.program));
    growing.run();
    const RowsView& view = growing.pass.rows->view;
    ASSERT_EQ(view.active_segments(), 3);
    const Segment& chain = view.segments[2];
    EXPECT_EQ((std::vector<int>{chain.sequence, chain.order, chain.row, chain.count, chain.first}),
              (std::vector<int>{1, 2, view.tree_rows(), 3, 12}));
    EXPECT_EQ(Path(view.tokens + chain.row, view.tokens + chain.row + 3), Path(tokens, tokens + 3));
    EXPECT_EQ(view.positions[chain.row + 2], 14);
}

TEST(Grow, EndsWhereThereIsNoMoreRoom) {
    const Backend backend = open_backend();
    const Case shape{16, 4, 8, 4, 0};
    Growing growing(backend, shape, {40}, 6);
    must(hydra_rows_limit(growing.pass.rows, 43));
    const int32_t pages[] = {3, 1};
    must(hydra_batch_set_pages(growing.pass.batch, 0, pages, 2));
    must(hydra_program_run(growing.pass.program));
    for (int level = 0; level < 4; ++level) growing.grow(level, 100);
    growing.pass.rows->fetch();
    const RowsView& view = growing.pass.rows->view;
    for (int r = 0; r < view.active(); ++r) EXPECT_LT(view.positions[r], 43);
    EXPECT_GT(view.active(), 4);
    must(hydra_batch_rewind(growing.pass.batch, 0, 40, 5));
    must(hydra_batch_set_pages(growing.pass.batch, 0, pages, 2));
    must(hydra_tree_set_budget(growing.trees, 100));
    must(hydra_batch_rewind(growing.pass.batch, 0, 38, 5));
    must(hydra_program_run(growing.pass.program));
    EXPECT_EQ(hydra_rows_count(growing.pass.rows), 1) << "each step begins with the root";
}

TEST(Grow, PassesOverWhatIsNoProposal) {
    const Backend backend = open_backend();
    Pass pass(backend, 40);
    hydra_tree* out = nullptr;
    must(hydra_tree_create(pass.batch, &out));
    const Tree trees(out);
    must(hydra_tree_set_growth(trees, -1, 8, 0, 1, 1, nullptr, nullptr, 0));
    const Top best = top(backend, 5, 8);
    set_ids(best, {7, 8, -1, 9, 10});
    const float values[] = {-1, NAN, -2, -INFINITY, 0.5f};
    std::copy(values, values + 5, best->values);
    must(record(pass.program, hydra_expand{trees, nullptr, pass.rows}));
    must(record(pass.program, hydra_grow{trees, 0, best, -1, nullptr, pass.rows}));
    pass.run();
    ASSERT_EQ(hydra_rows_count(pass.rows), 2);
    EXPECT_EQ(hydra_rows_tokens(pass.rows)[1], 7);
}

TEST(Grow, RefusesWhatIsNoGrowth) {
    const Backend backend = open_backend();
    Pass pass(backend, 40);
    hydra_tree* out = nullptr;
    must(hydra_tree_create(pass.batch, &out));
    const Tree trees(out);
    const int32_t chain[] = {3, -1};
    const float chances[] = {0.5f, 0.5f, 1};
    const auto set = [&](int nodes, int levels, int width, int guesses, const int32_t* tokens, const float* likely) {
        return hydra_tree_set_growth(trees, 0, nodes, 0, levels, width, tokens, likely, guesses);
    };
    expect_refused(set(0, 1, 1, 0, nullptr, nullptr), "nodes is 0, must be from 1 to 64");
    expect_refused(set(65, 1, 1, 0, nullptr, nullptr), "nodes is 65");
    for (float least : {-0.1f, 1.1f, NAN}) {
        expect_refused(hydra_tree_set_growth(trees, 0, 8, least, 1, 1, nullptr, nullptr, 0), "must be from 0 to 1");
    }
    expect_refused(set(8, -1, 1, 0, nullptr, nullptr), "levels is -1");
    expect_refused(set(8, 64, 1, 0, nullptr, nullptr), "levels is 64");
    expect_refused(set(8, 1, 0, 0, nullptr, nullptr), "width is 0");
    expect_refused(set(8, 1, 1, 64, chain, chances), "guesses is 64");
    expect_refused(set(8, 1, 1, 1, nullptr, chances), "chain or chances is null");
    expect_refused(set(8, 1, 1, 2, chain, chances), "token 1 of the chain is -1");
    expect_refused(set(8, 1, 1, 1, chain, chances + 2), "chance 0 is 1, must be between 0 and 1");
    expect_refused(hydra_tree_set_budget(trees, -1), "nodes is -1");
    expect_refused(hydra_tree_set_growth(nullptr, 0, 8, 0, 1, 1, nullptr, nullptr, 0), "tree is null");
    expect_refused(hydra_tree_set_growth(trees, 1, 8, 0, 3, 4, nullptr, nullptr, 0), "sequence is 1");
    const Top few = top(backend, 4, 3);
    expect_refused(record(pass.program, hydra_grow{trees, 63, few, -1, nullptr, pass.rows}), "level is 63");
    expect_refused(record(pass.program, hydra_grow{trees, 0, few, -2, nullptr, pass.rows}), "group is -2");
    expect_refused(record(pass.program, hydra_grow{trees, 0, few, -1, pass.rows, pass.rows}), "prompts must not be");
    must(set(8, 3, 4, 0, nullptr, nullptr));
    must(record(pass.program, hydra_grow{trees, 1, few, -1, nullptr, pass.rows}));
    expect_refused(hydra_program_run(pass.program), "top has room for 3 rows, must have it for 4");
    Pass narrow(backend, std::vector<int>{40}, 5);
    hydra_tree* other = nullptr;
    must(hydra_tree_create(narrow.batch, &other));
    const Tree theirs(other);
    must(hydra_tree_set_growth(theirs, 0, 8, 0, 3, 4, nullptr, nullptr, 0));
    must(record(narrow.program, hydra_expand{theirs, nullptr, narrow.rows}));
    expect_refused(hydra_program_run(narrow.program), "8 rows of 1 sequences are more than the rows' max_rows of 5");
    must(hydra_tree_set_budget(theirs, 4));
    narrow.run();
}

}  // namespace
}  // namespace hydra::test
