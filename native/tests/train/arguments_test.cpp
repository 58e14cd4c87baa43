// Devices and buffers, and that what does not fit is refused with a message that says what, and nothing is written.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "training.h"

namespace hydra::test {
namespace {

void expect_refused(hydra_status status, const std::string& words, hydra_status expected = HYDRA_INVALID_ARGUMENT) {
    EXPECT_EQ(status, expected);
    EXPECT_NE(std::string(hydra_train_error_message()).find(words), std::string::npos)
        << hydra_train_error_message() << "\nshould say: " << words;
}

TEST(Device, SaysWhatItIsAndRefusesOthers) {
    Lab lab(2, "portable");
    const std::string description = hydra_train_device_description(lab.device());
    if (cuda_library() == nullptr) {
        EXPECT_EQ(description, "CPU, 2 threads, portable");
    } else {
        EXPECT_EQ(description.substr(0, 6), "CUDA, ");
        EXPECT_NE(description.find(", products of float32"), std::string::npos) << description;
    }
    EXPECT_EQ(hydra_train_abi_version(), HYDRA_TRAIN_ABI_VERSION);
    hydra_train_device* out = nullptr;
    expect_refused(hydra_train_device_open_cpu(0, "auto", HYDRA_TRAIN_FLOAT32, &out),
                   "threads is 0, must be from 1 to 256");
    expect_refused(hydra_train_device_open_cpu(257, "auto", HYDRA_TRAIN_FLOAT32, &out), "threads is 257");
    expect_refused(hydra_train_device_open_cpu(1, "sse9", HYDRA_TRAIN_FLOAT32, &out), "isa is 'sse9'");
    expect_refused(hydra_train_device_open_cpu(1, nullptr, HYDRA_TRAIN_FLOAT32, &out), "is null");
    expect_refused(hydra_train_device_open_cpu(1, "auto", HYDRA_TRAIN_FLOAT32, nullptr), "is null");
    EXPECT_EQ(out, nullptr);
    hydra_train_device_close(nullptr);
    hydra_train_buffer_destroy(nullptr);
}

TEST(Device, OnCudaIsRefusedWithTheReason) {
    hydra_train_device* out = nullptr;
    expect_refused(hydra_train_device_open_cuda(nullptr, 0, HYDRA_TRAIN_FLOAT32, &out), "must be an absolute path");
    expect_refused(hydra_train_device_open_cuda("/nowhere/libhydra4j_cuda.so", 0, HYDRA_TRAIN_FLOAT32, &out),
                   "there is no CUDA library /nowhere/libhydra4j_cuda.so", HYDRA_UNAVAILABLE);
    expect_refused(hydra_train_device_open_cuda("/nowhere", 0, 2, &out), "products is 2, must be 0 (float32) or 1");
    expect_refused(hydra_train_device_open_cuda("/nowhere", 0, 0, nullptr), "out is null");
    if (cuda_library() == nullptr) return;
    expect_refused(hydra_train_device_open_cuda(cuda_library(), 99, HYDRA_TRAIN_FLOAT32, &out), "device is 99");
    EXPECT_EQ(out, nullptr);
}

// As where it was unpacked into a folder that is removed when it is loaded.
TEST(Device, OnCudaIsOpenedThoughTheFileOfTheLoadedLibraryIsGone) {
    if (cuda_library() == nullptr) GTEST_SKIP() << "no CUDA library";
    const std::filesystem::path copy = std::filesystem::temp_directory_path() / ("hydra4j-" + std::to_string(getpid()));
    std::filesystem::copy_file(cuda_library(), copy);
    for (int i = 0; i < 2; ++i) {
        hydra_train_device* out = nullptr;
        must(hydra_train_device_open_cuda(copy.c_str(), 0, HYDRA_TRAIN_FLOAT32, &out));
        hydra_train_device_close(out);
        std::filesystem::remove(copy);
    }
}

TEST(Device, OfAParentIsRefusedInAChild) {
    Lab lab;
    hydra_train_buffer* x = lab.zeros(1);
    const pid_t child = fork();
    if (child == 0) _exit(hydra_train_fill(lab.device(), 1, 1, x) == HYDRA_UNAVAILABLE ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(Buffer, HoldsZerosAndWhatIsUploaded) {
    Lab lab;
    hydra_train_buffer* out = nullptr;
    must(hydra_train_buffer_create(lab.device(), HYDRA_TRAIN_F32, 3, &out));
    const Buffer buffer(out);
    EXPECT_EQ(lab.read(out), Floats(3));
    const Floats two = {4, 5};
    must(hydra_train_upload(out, 1, two.data(), 2));
    EXPECT_EQ(lab.read(out), (Floats{0, 4, 5}));
    expect_refused(hydra_train_upload(out, 2, two.data(), 2), "2 elements from 2 on: the buffer has 3");
    expect_refused(hydra_train_upload(out, -1, two.data(), 1), "from -1 on");
    expect_refused(hydra_train_upload(out, INT64_MAX, two.data(), INT64_MAX), "the buffer has 3");
    expect_refused(hydra_train_upload(out, 0, nullptr, 1), "source is null");
    expect_refused(hydra_train_upload(nullptr, 0, two.data(), 1), "buffer is null");
    Floats target(4);
    expect_refused(hydra_train_download(out, 0, target.data(), 4), "the buffer has 3");
    expect_refused(hydra_train_download(out, 0, nullptr, 1), "target is null");
    EXPECT_EQ(lab.read(out), (Floats{0, 4, 5}));
}

// That of a GPU's memory is copied: CudaTrainingTest.
TEST(Buffer, CopiesFromMemoryOfTheDeviceAlone) {
    Lab lab;
    hydra_train_buffer* buffer = lab.zeros(4);
    const Floats source = {1, 2};
    if (cuda_library() == nullptr) {
        must(hydra_train_copy_in(buffer, 1, source.data(), 2));
        EXPECT_EQ(lab.read(buffer), (Floats{0, 1, 2, 0}));
    } else {
        expect_refused(hydra_train_copy_in(buffer, 1, source.data(), 2), "must be device memory");
        EXPECT_EQ(lab.read(buffer), Floats(4));
    }
    expect_refused(hydra_train_copy_in(buffer, 3, source.data(), 2), "2 elements from 3 on: the buffer has 4");
    expect_refused(hydra_train_copy_in(buffer, 0, nullptr, 2), "source is null");
    expect_refused(hydra_train_copy_in(lab.ids({0, 0}), 0, source.data(), 2), "must hold float32");
}

TEST(Buffer, OfImpossibleSizesIsRefused) {
    Lab lab;
    hydra_train_buffer* out = nullptr;
    expect_refused(hydra_train_buffer_create(lab.device(), HYDRA_TRAIN_F32, 0, &out), "count is 0");
    expect_refused(hydra_train_buffer_create(lab.device(), HYDRA_TRAIN_F32, INT64_MAX, &out), "count is");
    expect_refused(hydra_train_buffer_create(lab.device(), 7, 1, &out), "type is 7");
    expect_refused(hydra_train_buffer_create(nullptr, HYDRA_TRAIN_F32, 1, &out), "is null");
    EXPECT_EQ(out, nullptr);
}

TEST(Buffer, AViewSharesMemoryThatItOutlives) {
    Lab lab;
    hydra_train_buffer *out = nullptr, *view = nullptr;
    must(hydra_train_buffer_create(lab.device(), HYDRA_TRAIN_F32, 5, &out));
    must(hydra_train_buffer_view(out, 2, 3, &view));
    const Buffer kept(view);
    const float one = 1;
    must(hydra_train_upload(out, 3, &one, 1));
    expect_refused(hydra_train_buffer_view(out, 3, 3, &view), "the buffer has 5");
    expect_refused(hydra_train_buffer_view(out, 0, 0, &view), "0 elements");
    hydra_train_buffer_destroy(out);
    EXPECT_EQ(hydra_train_buffer_count(kept.get()), 3);
    EXPECT_EQ(lab.read(kept.get()), (Floats{0, 1, 0}));
}

TEST(Operands, ThatDoNotFitAreNamed) {
    Lab lab, other;
    hydra_train_buffer* x = lab.floats({1, 2, 3, 4});
    hydra_train_buffer* y = lab.floats({1, 2, 3, 4});
    hydra_train_device* device = lab.device();
    expect_refused(hydra_train_fill(nullptr, 1, 0, x), "device is null");
    expect_refused(hydra_train_fill(device, 1, 0, nullptr), "x is null");
    expect_refused(hydra_train_fill(device, 5, 0, x), "x holds 4 elements, needs 5");
    expect_refused(hydra_train_fill(device, -1, 0, x), "count is -1");
    expect_refused(hydra_train_fill(device, 1, 0, other.zeros(1)), "x is a buffer of another device");
    expect_refused(hydra_train_fill(device, 1, 0, lab.ids({1})), "x holds int32, must hold float32");
    expect_refused(hydra_train_linear_forward(device, 2, 2, 3, x, y, nullptr, 0, lab.zeros(6)),
                   "weight holds 4 elements, needs 6");
    expect_refused(hydra_train_linear_forward(device, 1, 2, 2, x, y, nullptr, 2, lab.zeros(2)),
                   "add is 2, must be 0 or 1");
    expect_refused(hydra_train_linear_forward(device, 1, 0, 2, x, y, nullptr, 0, lab.zeros(2)), "inputs is 0");
    expect_refused(hydra_train_linear_forward(device, int64_t{1} << 62, 2, 2, x, y, nullptr, 0, lab.zeros(2)),
                   "rows is");
    expect_refused(hydra_train_linear_backward(device, 1, 2, 2, x, y, x, 0, 3, lab.zeros(6), nullptr, nullptr),
                   "g_columns is 3, must be from 1 to 2");
    expect_refused(hydra_train_dropout(device, 1, 1, 0, 0, 0, x, y), "probability is 1");
    expect_refused(hydra_train_dropout(device, 1, NAN, 0, 0, 0, x, y), "probability is");
    expect_refused(hydra_train_noise(device, 1, INFINITY, 0, 0, 0, x, y), "scale is inf");
    expect_refused(hydra_train_rms_norm_forward(device, 1, 2, -1, x, y, lab.zeros(2), lab.zeros(1)), "epsilon is -1");
    expect_refused(hydra_train_copy_columns(device, 1, 2, x, 2, 1, y, 2, 0), "source has rows of 2 values");
    expect_refused(hydra_train_copy_columns(device, 1, 2, x, 2, 0, y, 2, INT64_MAX),
                   "target has rows of 2 values: 2 columns from 9223372036854775807 on are not among them");
    EXPECT_EQ(lab.read(x), (Floats{1, 2, 3, 4}));
    EXPECT_EQ(lab.read(y), (Floats{1, 2, 3, 4}));
}

TEST(Operands, ThatOverlapAreRefused) {
    Lab lab;
    hydra_train_device* device = lab.device();
    hydra_train_buffer* all = lab.floats(Floats(20, 1));
    hydra_train_buffer* view = nullptr;
    must(hydra_train_buffer_view(all, 1, 10, &view));
    const Buffer shifted(view);
    expect_refused(hydra_train_add(device, 10, 1, all, view), "y and x overlap in memory");
    expect_refused(hydra_train_linear_forward(device, 1, 2, 2, all, lab.zeros(4), nullptr, 0, view), "overlap");
    expect_refused(hydra_train_swiglu_backward(device, 4, lab.zeros(4), lab.zeros(4), all, all, all), "overlap");
    must(hydra_train_add(device, 1, 1, all, view));  // the element before the view
}

TEST(Ids, OutOfRangeAreRefusedBeforeAnythingIsWritten) {
    Lab lab;
    hydra_train_buffer* table = lab.floats({1, 2});
    hydra_train_buffer* target = lab.floats({7, 7, 7});
    for (const int32_t id : {-2, 2, INT32_MIN, INT32_MAX}) {
        hydra_train_buffer* ids = lab.ids({0, 1, id});
        expect_refused(hydra_train_gather(lab.device(), 3, 1, table, 2, ids, target, 1, 0),
                       "ids[2] is " + std::to_string(id) + ", must be from -1 to 1");
        expect_refused(hydra_train_scatter_add(lab.device(), 3, 1, target, 1, 0, ids, table, 2), "ids[2] is");
    }
    EXPECT_EQ(lab.read(target), (Floats{7, 7, 7}));
    EXPECT_EQ(lab.read(table), (Floats{1, 2}));
}

TEST(Block, ThatDoesNotFitIsRefused) {
    Lab lab;
    hydra_train_block of{};
    of.rows = 1;
    of.inputs = 2;
    of.outputs = 1;
    of.x = lab.zeros(2);
    of.weight = lab.zeros(2);
    of.bias = lab.zeros(1);
    of.a = lab.zeros(1);
    of.y = lab.zeros(1);
    expect_refused(hydra_train_block_forward(lab.device(), nullptr), "arguments is null");
    expect_refused(hydra_train_block_forward(lab.device(), &of), "inputs is 2 and outputs 1");
    of.skip = lab.zeros(2);
    expect_refused(hydra_train_block_forward(lab.device(), &of), "skip and skip_bias: one of them is null");
    of.skip = nullptr;
    of.inputs = 1;
    of.gy = lab.zeros(1);
    of.g_a = lab.zeros(1);
    of.g_skip = lab.zeros(1);
    expect_refused(hydra_train_block_backward(lab.device(), &of), "there is no skip");
}

TEST(Attention, OfTextsThatDoNotFitIsRefused) {
    Lab lab;
    hydra_train_buffer* x = lab.zeros(64);
    const float frequencies[] = {1, 1};
    const auto rope = [&](const std::vector<int64_t>& starts, int64_t head_size = 2) {
        return hydra_train_rope(lab.device(), static_cast<int64_t>(starts.size()) - 1, starts.data(), 1, head_size,
                                frequencies, 0, x);
    };
    expect_refused(rope({1, 2}), "starts[0] is 1, must be 0");
    expect_refused(rope({0, 5, 4}), "starts[2] is 4 after 5");
    expect_refused(rope({0, INT64_MAX}), "starts[1] is");
    expect_refused(rope({0, 40}), "x holds 64 elements, needs 80");
    expect_refused(rope({0, 1}, 3), "head_size is 3, must be even");
    expect_refused(hydra_train_rope(lab.device(), 1, nullptr, 1, 2, frequencies, 0, x), "starts is null");
    hydra_train_attention of{};
    const int64_t starts[] = {0, 2};
    of.sequences = 1;
    of.starts = starts;
    of.heads = 3;
    of.kv_heads = 2;
    of.head_size = 2;
    expect_refused(hydra_train_attention_forward(lab.device(), &of), "kv_heads is 2, must divide heads, which is 3");
    of.kv_heads = 3;
    expect_refused(hydra_train_attention_forward(lab.device(), &of), "q is null");
    if (cuda_library() == nullptr) return;
    of.heads = of.kv_heads = 1;
    of.head_size = 129;
    for (const hydra_train_buffer** operand : {&of.q, &of.k, &of.v}) *operand = lab.zeros(2 * 129);
    of.y = lab.zeros(2 * 129);
    of.log_sum = lab.zeros(2);
    expect_refused(hydra_train_attention_forward(lab.device(), &of), "head_size is 129, must be at most 128 on CUDA");
}

TEST(Loss, ThatDoesNotFitIsRefusedWithTheHead) {
    Lab lab;
    hydra_train_loss arguments{};
    arguments.hidden = 2;
    arguments.vocabulary = 3;
    hydra_train_loss_head heads[2] = {};
    for (hydra_train_loss_head& head : heads) {
        head.rows = 2;
        head.states = lab.zeros(4);
        head.weight = lab.zeros(6);
        head.targets = lab.ids({0, 1});
        head.data_scale = 1;
    }
    double sums[2 * HYDRA_TRAIN_SUMS];
    const auto compute = [&] { return hydra_train_loss_compute(lab.device(), &arguments, heads, 2, sums); };
    must(compute());
    heads[1].targets = lab.ids({0, 3});
    expect_refused(compute(), "head 1: targets[1] is 3, must be from -1 to 2");
    heads[1].targets = lab.ids({0});
    expect_refused(compute(), "head 1: targets holds 1 elements, needs 2");
    heads[1].targets = heads[0].targets;
    heads[1].teacher_rows = lab.ids({0, 0});
    expect_refused(compute(), "head 1: teacher_rows is given, and there is no teacher");
    heads[1].teacher_rows = nullptr;
    heads[1].best_ranks = lab.ids({0, 0});
    expect_refused(compute(), "head 1: best_ranks is given");
    heads[1].best_ranks = nullptr;
    heads[1].data_scale = NAN;
    expect_refused(compute(), "head 1: data_scale is");
    heads[1].data_scale = 1;
    arguments.teacher_states = lab.zeros(4);
    expect_refused(compute(), "teacher_states and teacher_weight: one of them is null");
    arguments.teacher_weight = lab.zeros(6);
    arguments.teacher_hidden = 2;
    arguments.teacher_rows = 2;
    expect_refused(compute(), "head 0: teacher_rows is null");
    for (hydra_train_loss_head& head : heads) head.teacher_rows = lab.ids({0, 1});
    must(compute());
    heads[0].teacher_rows = lab.ids({1, 0});
    expect_refused(compute(), "head 0: teacher_rows[1] is 0, must be from 1 to 1");
    heads[0].teacher_rows = lab.ids({0, 2});
    expect_refused(compute(), "teacher_rows[1] is 2");
    expect_refused(hydra_train_loss_compute(lab.device(), &arguments, heads, 0, sums), "count is 0");
    expect_refused(hydra_train_loss_compute(lab.device(), &arguments, nullptr, 1, sums), "is null");
}

TEST(AdamW, OfImpossibleOptionsIsRefused) {
    Lab lab;
    hydra_train_adamw good{};
    good.count = 1;
    good.parameters = lab.floats({1});
    good.gradients = lab.zeros(1);
    good.first = lab.zeros(1);
    good.second = lab.zeros(1);
    good.step = 1;
    good.beta1 = good.beta2 = 0.9;
    good.epsilon = 1e-8;
    good.gradient_scale = 1;
    must(hydra_train_adamw_step(lab.device(), &good));
    const auto refused = [&](const char* words, auto change) {
        hydra_train_adamw bad = good;
        change(bad);
        expect_refused(hydra_train_adamw_step(lab.device(), &bad), words);
    };
    refused("step is 0", [](hydra_train_adamw& of) { of.step = 0; });
    refused("rate is -1", [](hydra_train_adamw& of) { of.rate = -1; });
    refused("rate is nan", [](hydra_train_adamw& of) { of.rate = NAN; });
    refused("beta1 is 1", [](hydra_train_adamw& of) { of.beta1 = 1; });
    refused("beta2 is -0.1", [](hydra_train_adamw& of) { of.beta2 = -0.1; });
    refused("epsilon is 0", [](hydra_train_adamw& of) { of.epsilon = 0; });
    refused("decay is inf", [](hydra_train_adamw& of) { of.decay = INFINITY; });
    refused("gradient_scale is", [](hydra_train_adamw& of) { of.gradient_scale = INFINITY; });
    refused("overlap", [](hydra_train_adamw& of) { of.first = of.second; });
}

}  // namespace
}  // namespace hydra::test
