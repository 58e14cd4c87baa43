"""Makes resources/golden/formula: tiny models of families whose weights are a formula, and what transformers computes with them.

    python families.py ../resources/golden/formula [NAME...]

Needs transformers and torch. A folder gets config.json as transformers writes it and golden.json: the names and shapes of its tensors, and
for some prompts logits, mean log probability and greedy tokens in the form of the shared golden files. The weights themselves are written
by io.hydra4j.golden.FormulaModel, which has the same formula.
"""

import json
import math
import sys
from pathlib import Path

import numpy
import torch
from transformers import AutoModelForCausalLM, CONFIG_MAPPING

SIZES = dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, vocab_size=320,
             max_position_embeddings=256, num_hidden_layers=3, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LONG = [1 + 0.4 * i for i in range(12)]
SHORT = [1 + 0.05 * i for i in range(16)]

# Caps are low and windows short, so that they matter.
FAMILIES = {
    "linear": ("llama", dict(rope_scaling=dict(rope_type="linear", factor=2.5), attention_bias=True)),
    "yarn": ("qwen2", dict(rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64))),
    "windows": ("qwen3", dict(head_dim=16, sliding_window=20, use_sliding_window=True, max_window_layers=1)),
    "smollm3": ("smollm3", dict(num_hidden_layers=5, rope_theta=50000.0)),
    "gemma2": ("gemma2", dict(head_dim=24, num_hidden_layers=4, sliding_window=16, query_pre_attn_scalar=24,
                              attn_logit_softcapping=1.5, final_logit_softcapping=2.5)),
    "gemma3": ("gemma3_text", dict(head_dim=16, num_hidden_layers=7, sliding_window=16, query_pre_attn_scalar=16,
                                   rope_parameters=dict(
                                       full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                                       sliding_attention=dict(rope_type="default", rope_theta=10000.0)))),
    "phi3": ("phi3", dict(hidden_size=96, num_attention_heads=3, num_key_value_heads=1, original_max_position_embeddings=32,
                          sliding_window=40, partial_rotary_factor=0.75,
                          rope_scaling=dict(type="longrope", long_factor=LONG, short_factor=[1.0] * 12))),
    "phi3-short": ("phi3", dict(hidden_size=128, num_attention_heads=4, original_max_position_embeddings=256, sliding_window=None,
                                rope_scaling=dict(type="longrope", long_factor=[9.0] * 16, short_factor=SHORT))),
    "granite": ("granite", dict(embedding_multiplier=2.5, residual_multiplier=0.6, attention_multiplier=0.1,
                                logits_scaling=1.5)),
    "olmo2": ("olmo2", dict()),
    # Sizes that are multiples of nothing.
    "odd": ("llama", dict(hidden_size=120, head_dim=24, num_attention_heads=5, num_key_value_heads=1, intermediate_size=200,
                          vocab_size=517, max_position_embeddings=160, num_hidden_layers=2, bos_token_id=0, eos_token_id=0,
                          pad_token_id=None, rope_theta=20000.0, attention_bias=True, dtype="bfloat16")),
}
PROMPTS = [40, 70]
# Texts that stay within the original context, for which LongRoPE has other angles.
SHORT_PROMPTS = {"phi3": [12, 16]}
GREEDY = 16


def hashed(text, count):
    """count numbers in [-0.5, 0.5) of 24 bits each."""
    seed = 0x811C9DC5
    for byte in text.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    x = (numpy.arange(count, dtype=numpy.uint64) * 0x9E3779B1 + seed) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> numpy.uint64(shift))) * factor & 0xFFFFFFFF
    x ^= x >> numpy.uint64(16)
    return (x >> numpy.uint64(8)).astype(numpy.float64) / 2**24 - 0.5


def weights(family, name, shape, kind):
    """float32, each a value that the kind has, bfloat16 or float32."""
    values = hashed(family + "/" + name, math.prod(shape))
    if len(shape) == 2:
        values *= 4 / math.sqrt(shape[1])
    elif name.endswith(".bias"):
        values *= 0.5
    else:
        values = values * 0.5 + (0 if family.startswith("gemma") else 1)
    values = values.astype(numpy.float32)
    if kind == torch.bfloat16:
        values = (values.view(numpy.uint32) & 0xFFFF0000).view(numpy.float32)
    return torch.from_numpy(values).reshape(shape)


def rounded(values):
    return [round(float(value), 6) for value in values]


def describe(model, ids):
    logits = model(torch.tensor([ids])).logits[0].double()
    described = dict(prompt_ids=ids, logits=[])
    fixed = [0, 7, 100, 319]
    for position in (0, len(ids) // 2, len(ids) - 1):
        top = logits[position].topk(20)
        described["logits"].append(dict(position=position, top20_ids=top.indices.tolist(), top20_logits=rounded(top.values),
                                        fixed_ids=fixed, fixed_logits=rounded(logits[position][fixed])))
    chances = logits.log_softmax(-1)
    described["prompt_mean_logprob"] = round(float(chances[range(len(ids) - 1), ids[1:]].mean()), 6)
    text, greedy, gaps = list(ids), [], []
    for _ in range(GREEDY):
        best = model(torch.tensor([text]), use_cache=False).logits[0, -1].double().topk(2)
        greedy.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
        text.append(greedy[-1])
    return dict(described, greedy_ids=greedy, top2_gap=rounded(gaps))


def prompt(family, length):
    return [int((value + 0.5) * 320) for value in hashed(family + " prompt " + str(length), length)]


@torch.no_grad()
def make(target, family):
    kind, own = FAMILIES[family]
    config = CONFIG_MAPPING[kind](**{**SIZES, **own})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    state = model.state_dict()
    names = [name for name in state if not (config.tie_word_embeddings and name == "lm_head.weight")]
    for name in names:
        state[name].copy_(weights(family, name, list(state[name].shape), config.dtype))
    prompts = [describe(model, prompt(family, length)) for length in PROMPTS]
    short = [describe(model, prompt(family, length)) for length in SHORT_PROMPTS.get(family, [])]
    folder = target / family
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    golden = dict(tensors={name: list(state[name].shape) for name in names}, prompts=prompts, **({"short": short} if short else {}))
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(family, "smallest gap", min(min(each["top2_gap"]) for each in prompts + short))


for each in sys.argv[2:] or FAMILIES:
    make(Path(sys.argv[1]), each)
