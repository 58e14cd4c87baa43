// The C ABI of rotary embeddings and attention.
#include "train/operands.h"

using hydra::train::Operands;
using hydra::train::operate;
using hydra::train::size;

namespace {

hydra::train::Attention attention(Operands& operands, const hydra_train_attention& of, bool forward) {
    hydra::train::Attention result{};
    result.texts = hydra::train::checked_texts(of.sequences, of.starts);
    result.heads = size("heads", of.heads, 1, 1 << 16);
    result.kv_heads = size("kv_heads", of.kv_heads, 1, of.heads);
    HYDRA_REQUIRE(of.heads % of.kv_heads == 0, "kv_heads is %lld, must divide heads, which is %lld",
                  static_cast<long long>(of.kv_heads), static_cast<long long>(of.heads));
    result.head_size = size("head_size", of.head_size, 1, 1 << 16);
    const int64_t rows = result.texts.rows();
    const int64_t queries = rows * of.heads * of.head_size, keys = rows * of.kv_heads * of.head_size;
    result.q = operands.in("q", of.q, queries);
    result.k = operands.in("k", of.k, keys);
    result.v = operands.in("v", of.v, keys);
    if (forward) {
        result.y = operands.out("y", of.y, queries);
        result.log_sum = operands.out("log_sum", of.log_sum, rows * of.heads);
    } else {
        result.y = const_cast<float*>(operands.in("y", of.y, queries));
        result.log_sum = const_cast<float*>(operands.in("log_sum", of.log_sum, rows * of.heads));
    }
    return result;
}

}  // namespace

hydra_status hydra_train_rope(hydra_train_device* device, int64_t sequences, const int64_t* starts, int64_t heads,
                              int64_t head_size, const float* frequencies, int32_t inverse, hydra_train_buffer* x) {
    return operate("hydra_train_rope", device, [&] {
        const hydra::train::Texts texts = hydra::train::checked_texts(sequences, starts);
        size("heads", heads, 1, 1 << 16);
        size("head_size", head_size, 2, 1 << 16);
        HYDRA_REQUIRE(head_size % 2 == 0, "head_size is %lld, must be even", static_cast<long long>(head_size));
        HYDRA_REQUIRE(frequencies != nullptr, "frequencies is null");
        float* rows = Operands(device).out("x", x, texts.rows() * heads * head_size);
        device->rope(texts, heads, head_size, frequencies, hydra::train::flag("inverse", inverse), rows);
    });
}

hydra_status hydra_train_attention_forward(hydra_train_device* device, const hydra_train_attention* arguments) {
    return operate("hydra_train_attention_forward", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr, "arguments is null");
        Operands operands(device);
        device->attention_forward(attention(operands, *arguments, true));
    });
}

hydra_status hydra_train_attention_backward(hydra_train_device* device, const hydra_train_attention* arguments) {
    return operate("hydra_train_attention_backward", device, [&] {
        HYDRA_REQUIRE(arguments != nullptr, "arguments is null");
        const hydra_train_attention& of = *arguments;
        Operands operands(device);
        const hydra::train::Attention forward = attention(operands, of, false);
        const int64_t queries = forward.texts.rows() * of.heads * of.head_size;
        const int64_t keys = forward.texts.rows() * of.kv_heads * of.head_size;
        const float* gradient = operands.in("gy", of.gy, queries);
        float* q = operands.out("g_q", of.g_q, queries);
        float* k = operands.out("g_k", of.g_k, keys);
        device->attention_backward(forward, {gradient, q, k, operands.out("g_v", of.g_v, keys)});
    });
}
