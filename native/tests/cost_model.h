// What the CUDA backend's operations are expected to take on a card of given rates: bytes, instructions and launches,
// counted from the shapes as the kernels cut them up. Nothing in it is measured; a card's figures are to be laid beside
// it, and where they differ, the model or the kernel is wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace hydra::test {

// Times in seconds, rates in 1/s.
struct Card {
    const char* name;
    double memory;       // bytes: what a device-to-device copy reaches
    double cache;        // bytes from the L2 cache to all multiprocessors
    double products;     // multiplications with an addition, of mma.sync with 16-bit inputs
    double memory_trip;  // from a load to its bytes
    double cache_trip;   // the same where they are in the L2 cache
    double gap;          // from the end of a kernel of a graph to that of the wait of the next one, which has begun
    int multiprocessors;
    double shared;        // bytes from shared memory, of all multiprocessors
    double cluster;       // bytes from the shared memory of other blocks of a cluster, of all multiprocessors
    double cluster_trip;  // from such a load to its bytes, and what a barrier of a cluster takes
    double launch;        // gap, of a kernel that begins when the one before has ended
    int parts;            // of the device, each of which runs whole clusters (NVIDIA: GPC)
    double shared_bytes;  // shared memory of a multiprocessor that blocks can have
};

// memory: measured with PyTorch 2.11 (a copy of 1 GB). multiprocessors: NVIDIA's data sheet, as the 989 TFLOP/s of
// which mma.sync reaches about 62 %, published by several microbenchmarks, as are the cache's rate and both trips (0.6
// to 0.9 and 0.25 to 0.3 microseconds). launch, gap: of a kernel that begins when the one before has ended 1.2 to 1.3
// microseconds, from step times of published graphs of small kernels; with programmatic dependent launch no figure is
// published that we know, and this is an estimate: without the launch and its parameters, the end of a grid, the flush
// of what it wrote and a trip to the cache are left. The first card is to tell. shared: 128 bytes a cycle (CUDA's
// programming guide) of the 1.83 GHz at which 2048 multiplications a cycle make the data sheet's TFLOP/s. cluster,
// cluster_trip: of clusters of four blocks, the largest of a published microbenchmark ("Benchmarking and Dissecting the
// Nvidia Hopper GPU Architecture", arXiv 2402.13499: 2.65 TB/s, 180 cycles); of eight we know no figure. parts,
// shared_bytes: NVIDIA's white paper of the H100.
constexpr Card H100{"H100 80GB HBM3", 2.997e12, 5.5e12, 0.62 * 989e12 / 2,  0.75e-6,
                    0.28e-6,          0.7e-6,   132,    128 * 1.83e9 * 132, 2.65e12,
                    180 / 1.83e9,     1.3e-6,   8,      227 * 1024};

// How the products are cut up (product.cuh, pipeline.cuh).
constexpr double LARGE_VALUES = 1 << 22, MOST_SHARES = 256, LEAST_BLOCKS = 8;
constexpr int MOST_CLUSTER_BLOCKS = 8;
constexpr double BLOCK_COLUMNS = 32, TILE_ROWS = 16, BLOCK_OUTPUTS = 128;
constexpr double IN_FLIGHT = 64 * 1024;  // bytes of weights of a multiprocessor, with two blocks: the least of BF16
constexpr double SPREAD_BLOCKS = 128;  // small matrices have parts of 32 rows, or of 16 where the grid had fewer blocks

// How a large product's rows of tiles are cut into shares of blocks of columns: clusters of so many blocks.
struct ProductCut {
    double clusters = 0, size = 1;

    ProductCut(double tile_rows, double blocks) {
        double least = 0;
        for (int of = 1; of <= MOST_CLUSTER_BLOCKS; of *= 2) {
            const double of_each = std::ceil(tile_rows * of / MOST_SHARES);
            const double fitting = std::ceil(tile_rows / of_each), longest = std::ceil(of_each * blocks / of);
            if (of > 1 && std::floor(tile_rows / fitting) * blocks / of < LEAST_BLOCKS) break;
            if (of == 1 || longest < least) clusters = fitting, size = of, least = longest;
        }
    }
    double shares() const { return clusters * size; }
    // What shares have of rows of tiles that others have, too: a border between two divides a row unless one ends
    // there.
    double partial_sums(double tile_rows) const {
        const auto of_cluster = static_cast<int>(std::ceil(tile_rows / clusters));
        const double divided = size - std::gcd(of_cluster, static_cast<int>(size));
        return clusters * (divided + std::min<double>(divided, of_cluster));
    }
};

// A launch over `bytes` of weights [outputs][columns], of so many matrices side by side, and so many activation rows
// that were left ready, normalised or not, in seconds.
inline double product_time(const Card& card, double bytes, double outputs, double columns, int rows, int matrices,
                           bool normed) {
    const double groups = std::ceil(rows / 8.0) * 8;
    const bool large = outputs * columns >= LARGE_VALUES;
    const double tile_rows = std::ceil(outputs / (large ? BLOCK_OUTPUTS : matrices * TILE_ROWS));
    const double blocks = std::ceil(columns / BLOCK_COLUMNS);
    const ProductCut cut(tile_rows, blocks);
    const double shares = large ? cut.shares() : tile_rows;
    double parts = large ? 1 : std::ceil(rows / 32.0);
    if (!large && tile_rows * parts < SPREAD_BLOCKS) parts = std::ceil(rows / 16.0);
    const double busy = std::min(1.0, parts * shares / card.multiprocessors);
    const double in_flight = IN_FLIGHT * std::min<double>(parts * shares, card.multiprocessors) / card.memory_trip;
    // Each row of tiles reads all activations, four bytes each: two halves of 16 bits, and so two products a weight.
    const double activations = tile_rows * (rows < 8 ? rows : groups) * columns * 4;
    // Weights are asked for as soon as blocks of the kernel before leave room; when all have ended the number of rows,
    // then their scales, then they.
    const double weights = card.cache_trip + card.memory_trip + bytes / std::min(card.memory, in_flight);
    const double arithmetic = std::max(card.gap, card.memory_trip) + (normed ? 3 : 2) * card.cache_trip +
                              std::max((parts * bytes + activations) / (card.cache * busy),
                                       2 * groups * outputs * columns / (card.products * busy));
    double reduction = 0;
    if (large && cut.size > 1) {
        // Stored in shared memory, and read from that of the cluster between two barriers.
        const double partials = cut.partial_sums(tile_rows) * BLOCK_OUTPUTS * rows * 4;
        reduction = partials / card.shared + partials / card.cluster + 3 * card.cluster_trip;
    }
    return std::max(weights, arithmetic) + reduction;
}

// Making activation rows ready that nobody has left so: a row and its norm's weights come in one trip, from memory.
inline double preparation_time(const Card& card, double columns, int rows) {
    return card.gap + card.memory_trip + 2 * rows * columns * 4 / card.cache;
}

// How attention is cut up (attention.cuh, attention_leaf.cuh, attention_mma.cu).
constexpr double LEAF = 64, SHORTEST_SPLIT = 256, SHORTEST_SPLITS = 8, OTHER_SPLITS = 12, VECTOR_GROUP = 8;
constexpr double FEW_VECTORS = 16, ATTENTION_WARPS = 4;

// Of some positions.
struct AttentionParts {
    double parts = 0, longest = 0;  // positions of the longest one

    AttentionParts(double context, bool few) {
        double length = SHORTEST_SPLIT;
        for (double splits = SHORTEST_SPLITS; context > 0; splits = OTHER_SPLITS, length *= 2) {
            const double here = std::min(context, splits * length);
            const double part = few && length == SHORTEST_SPLIT ? LEAF : length;
            parts += std::ceil(here / part);
            longest = std::min(here, part);
            context -= here;
        }
    }
};

// Who folds what the parts of the keys leave of a vector. As the kernels are, each part's goes to memory, and the last
// block of a KV head that is done merges them where vectors are few, otherwise a second launch. What was thought of
// instead, with a tree of folds that the positions fix:
struct Folding {
    int cluster = 1;  // blocks of neighbouring parts exchange theirs in a cluster and leave one, or the result
    int parts = 1;    // a block takes so many neighbouring parts, which it folds in shared memory, and leaves one
};

// Over an F16 cache, of `rows` rows of one sequence. All that is unsure of a folding is taken in its favour: the tail
// is in the cluster of all parts as if it took no blocks, clusters wait for nobody that is slower, and what a round of
// blocks that have ended leaves is taken at once.
inline double attention_time(const Card& card, double heads, double kv_heads, double head_size, double context,
                             int rows, const Folding& folding = {}) {
    const double per_head = rows * heads / kv_heads, groups = std::ceil(per_head / VECTOR_GROUP);
    const bool few = per_head <= FEW_VECTORS;
    const AttentionParts parts(context, few);
    const double of_blocks = std::ceil(parts.parts / folding.parts);  // of a KV head's vectors
    const double longest = std::min(context, parts.longest * folding.parts);
    // Groups of a warp, and blocks that share the vectors.
    const double warp_groups = few                                                                    ? groups
                               : groups <= ATTENTION_WARPS                                            ? 1
                               : groups <= 2 * ATTENTION_WARPS || head_size > 128 || parts.parts <= 4 ? 2
                                                                                                      : 4;
    const double blocks = few ? 1 : std::ceil(groups / (ATTENTION_WARPS * warp_groups));
    const double bytes = 4 * kv_heads * head_size * context;
    // Keys and values of a leaf are under way to a block, three of which run on a multiprocessor, or as many as have
    // room with their vectors' sums beside three stages and the queries.
    double at_once = 3.0 * card.multiprocessors;
    if (folding.parts > 1) {
        const double vectors = (few ? 1 : ATTENTION_WARPS) * warp_groups * VECTOR_GROUP;
        const double room = 3 * LEAF * (head_size + 8) * 2 + vectors * (head_size * 2 + (head_size + 2) * 4);
        at_once = std::min(at_once, std::floor(card.shared_bytes / room) * card.multiprocessors);
    }
    if (folding.cluster > 1) {
        const double of_each = std::floor(at_once / card.parts / folding.cluster);
        at_once = of_each * card.parts * folding.cluster;
    }
    const double running = std::min(kv_heads * of_blocks * blocks, at_once);
    const double in_flight = running * 4 * LEAF * head_size / card.memory_trip;
    // What a position costs of each KV head, in products, and in bytes from shared memory: a warp reads keys and values
    // once for its groups (few: the warps divide them), and each group's queries once a leaf.
    const double products = 2 * groups * VECTOR_GROUP * head_size;
    const double readers = few ? 1 : std::ceil(groups / warp_groups);
    const double reads = readers * head_size * 4 + groups * VECTOR_GROUP * head_size * 2 * (few ? 4 : 1) / LEAF;
    const double work = std::max(products / card.products, reads / card.shared);  // seconds of the whole card
    const double stream = std::max({bytes / std::min(card.memory, in_flight), work * kv_heads * context,
                                    work / blocks * card.multiprocessors * longest});
    // What one part leaves of all vectors, and how many such go through memory, the tail's with them.
    const double sums = rows * heads * (head_size + 2) * 4;
    double kept = of_blocks + 1, fold = few ? 3 * card.cache_trip : card.gap + 2 * card.cache_trip;
    if (folding.parts > 1) fold += 2 * parts.parts * sums / card.shared;
    if (folding.cluster > 1) {
        // Stored in shared memory, and read from that of the cluster, of which a block has its own share.
        const double left = std::ceil(of_blocks / folding.cluster), size = std::min<double>(folding.cluster, of_blocks);
        const double exchanged = left == 1 ? kept : of_blocks;
        const double exchange =
            exchanged * sums * (1 / card.shared + (size - 1) / size / card.cluster) + 3 * card.cluster_trip;
        fold = left == 1 ? exchange : fold + exchange;
        kept = left == 1 ? 0 : left + 1;
    }
    return card.gap + card.memory_trip + stream + 2 * kept * sums / card.cache + fold;
}

// How one cooperative kernel does the layers of a small model as tasks (tasks.cu, product.cuh, stages.cuh), of which
// there is one for 8, 16, 32 and 64 rows: a block of each multiprocessor computes rows of tiles for parts of the rows.
constexpr int MOST_TASK_ROWS = 64;
constexpr double STAGE_BLOCKS = 4, BLOCK_VALUES = 512, STAGES_BYTES = 86 * 1024, STAGES_AND_SUMS_BYTES = 97 * 1024;
constexpr double TILE_SUMS_BYTES = 8 * 672, MOST_OWN_SUMS_BYTES = 11 * 1024;

// From the end of a task to the begin of the next one, which other blocks do. No figure of such a meeting is published
// that we know; counted in trips to the cache, for a block's last store to arrive there, half a one for the count that
// follows it, and one for the load that finds the count, as such loads follow each other without a pause.
inline double meeting_time(const Card& card) { return 2.5 * card.cache_trip; }

// A product as product_time has it, as a task. The weights of the first stages have come before its rows are there, the
// others are in the cache, as they are asked for a task of the block before; how many rows there are is known.
inline double product_task_time(const Card& card, double bytes, double outputs, double columns, int rows, int matrices,
                                bool normed) {
    const double kernel_rows = rows <= 8 ? 8 : rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
    const double tiles = kernel_rows > 16 ? 2 : 1;
    const double part_rows = std::max(VECTOR_GROUP, kernel_rows / tiles / (matrices > 1 ? 1 : 2));
    const double parts = std::ceil(rows / part_rows), tile_rows = std::ceil(outputs / (matrices * tiles * TILE_ROWS));
    const double sharing = std::clamp(std::floor(card.multiprocessors / parts), 1.0, tile_rows);
    const double most = std::ceil(tile_rows / sharing);  // rows of tiles of a block
    const double activations = std::min<double>(rows, part_rows) * columns * 4, weights = bytes / tile_rows;
    const double stage_weights = STAGE_BLOCKS * matrices * tiles * BLOCK_VALUES * bytes / (outputs * columns);
    const double stage = stage_weights + STAGE_BLOCKS * BLOCK_COLUMNS * part_rows * 4;
    const double sums = matrices * tiles * TILE_SUMS_BYTES;
    const bool sums_in_stage = sums > MOST_OWN_SUMS_BYTES && sums <= stage;
    const double room = std::min(STAGES_BYTES + sums, STAGES_AND_SUMS_BYTES) - (sums_in_stage ? 0 : sums);
    const double ahead = std::clamp(std::floor(room / stage), 2.0, 8.0) - 1;  // stages
    // What a multiprocessor gets, of which stages ahead are under way.
    const double most_rate = card.cache / card.multiprocessors;
    const double rate = std::min(most_rate, ahead * stage / (card.cache_trip + stage / most_rate));
    // For blocks that have done the task before, weights come no sooner than from its end on.
    const double before = meeting_time(card) + (normed ? 2 : 1) * card.cache_trip;
    const double there = std::min(ahead * stage_weights, (before - card.cache_trip) * rate);
    const double to_come = most * activations + std::max(0.0, most * weights - there);
    const double arithmetic = most * 2 * part_rows * matrices * tiles * TILE_ROWS * columns;
    return before + std::max(to_come / rate, arithmetic / card.products * card.multiprocessors);
}

// A card as the attention of tasks finds it: what the prefix keeps is asked for a task of the block before.
inline Card card_of_tasks(Card card) {
    card.gap = meeting_time(card);
    card.memory = card.cache, card.memory_trip = card.cache_trip;
    return card;
}

// A launch that does little: one trip to memory and one to the cache.
inline double small_time(const Card& card) { return card.gap + card.memory_trip + card.cache_trip; }

}  // namespace hydra::test
