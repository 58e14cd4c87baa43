"""Trains Hydra++ heads in PyTorch beside a finished or running `train` of Hydra4J, step for step: the same texts in the same batches, the
learning rates of its log, first weights by the same rule (of another seed), no dropout. Prints both losses of every tenth step, and leaves the
heads of every EVERY tokens as folders that Hydra4J opens.

    python peer_run.py BASE.gguf DATA.jsonl.xz LOG.jsonl OUTPUT TOKENS EVERY [decay 0.01] [batch 4] [length 512]

The log must be of a run of --recipe hydra++ --dropout 0 with --held-out, seed 0, on this data.
"""
import json
import lzma
import math
import os
import sys
import time

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

base_file, data, log_file, output = sys.argv[1:5]
tokens_wanted, every = int(sys.argv[5]), int(sys.argv[6])
decay = float(sys.argv[7]) if len(sys.argv) > 7 else 0.01
batch_tokens = (int(sys.argv[8]) if len(sys.argv) > 8 else 4) * (int(sys.argv[9]) if len(sys.argv) > 9 else 512)
longest = int(sys.argv[9]) if len(sys.argv) > 9 else 512
HEADS, BLOCKS, CLIP = 4, 4, 1.0
WINDOW, PIECE = 4 << 20, 1 << 16  # characters: of documents that are shuffled together, and that are encoded at a time

torch.manual_seed(0)


class JavaRandom:
    """java.util.Random, for Collections.shuffle."""

    def __init__(self, seed):
        self.seed = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)

    def bits(self, count):
        self.seed = (self.seed * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        return self.seed >> (48 - count)

    def below(self, bound):
        if bound & (bound - 1) == 0:
            return (bound * self.bits(31)) >> 31
        while True:
            bits = self.bits(31)
            if bits - bits % bound + bound - 1 < 1 << 31:
                return bits % bound

    def shuffle(self, items):
        for i in range(len(items), 1, -1):
            j = self.below(i)
            items[i - 1], items[j] = items[j], items[i - 1]


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def documents():
    """Texts in the order of training: shuffled within windows, epoch after epoch."""
    epoch = 0
    while True:
        with lzma.open(data, "rt", encoding="utf-8") as lines:
            window, size, read, begin = [], 0, 0, 0
            for line in lines:
                window.append(json.loads(line)["text"])
                size += utf16(window[-1])
                read += 1
                if size >= WINDOW:
                    yield from shuffled(window, epoch, begin)
                    window, size, begin = [], 0, read
            if window:
                yield from shuffled(window, epoch, begin)
        epoch += 1


def shuffled(window, epoch, begin):
    JavaRandom((31 * epoch + begin) * 0x9E3779B97F4A7C15 & ((1 << 64) - 1)).shuffle(window)
    return window


def pieces(text):
    while text:
        end = min(len(text), PIECE)
        line = text.rfind("\n", 0, end) if end < len(text) else -1
        end = line + 1 if line > 0 else end
        yield text[:end]
        text = text[end:]


def sequences(tokenizer, begin):
    for text in documents():
        for piece in pieces(text):
            ids = begin + tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True)
            first = ids[:longest]
            if len(first) >= 3:
                yield first
            step = longest - len(begin)
            for at in range(longest, len(ids), step):
                part = begin + ids[at : at + step]
                if len(part) >= 3:
                    yield part


def batches(tokenizer, begin):
    batch, room = [], batch_tokens
    for sequence in sequences(tokenizer, begin):
        if len(sequence) > room:
            yield batch
            batch, room = [], batch_tokens
        batch.append(sequence)
        room -= len(sequence)


class Norm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(size)), epsilon

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


class Prefix(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.size = config.hidden_size, config.head_dim
        queries, keys, inner = config.num_attention_heads * self.size, config.num_key_value_heads * self.size, config.intermediate_size
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        norm = lambda: Norm(hidden, config.rms_norm_eps)
        self.n1, self.n2, self.n3 = norm(), norm(), norm()
        self.q, self.k, self.v, self.o = linear(hidden, queries), linear(hidden, keys), linear(hidden, keys), linear(queries, hidden)
        self.gate, self.up, self.down = linear(hidden, inner), linear(hidden, inner), linear(inner, hidden)
        for layer in (self.q, self.k, self.v, self.o, self.gate, self.up, self.down):
            nn.init.normal_(layer.weight, std=0.02)
        angles = torch.arange(longest)[:, None] * 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([-angles.sin(), angles.sin()], -1))

    def split(self, x, rotated):
        x = x.view(x.shape[0], -1, self.size).transpose(0, 1)
        if not rotated:
            return x
        swapped = torch.cat([x[..., self.size // 2 :], x[..., : self.size // 2]], -1)
        return x * self.cos[: x.shape[1]] + swapped * self.sin[: x.shape[1]]

    def forward(self, h):
        x = self.n1(h)
        q, k, v = self.split(self.q(x), True)[None], self.split(self.k(x), True)[None], self.split(self.v(x), False)[None]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        h = h + self.o(y[0].transpose(0, 1).reshape(h.shape[0], -1))
        x = self.n2(h)
        return self.n3(h + self.down(F.silu(self.gate(x)) * self.up(x)))


class Heads(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config.hidden_size
        self.prefix = Prefix(config)
        self.first = nn.ModuleList(nn.Linear((i + 2) * hidden, hidden) for i in range(HEADS))
        self.skip = nn.ModuleList(nn.Linear((i + 2) * hidden, hidden) for i in range(HEADS))
        self.more = nn.ModuleList(nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(BLOCKS - 1)) for _ in range(HEADS))
        for block in [*self.first, *(layer for head in self.more for layer in head)]:
            nn.init.zeros_(block.weight)

    def losses(self, texts, base):
        """Sums of cross-entropies to the base's distribution, and their rows, of each head."""
        sums, rows = [0.0] * HEADS, [0] * HEADS
        for ids in texts:
            with torch.no_grad():
                h = base.model(input_ids=ids[None]).last_hidden_state[0]
                teacher = F.softmax(base.lm_head(h), -1)
                embedded = base.model.embed_tokens(ids)
            state = self.prefix(h)
            for i in range(HEADS):
                count = len(ids) - 2 - i
                if count <= 0:
                    continue
                z = torch.cat([state[:count]] + [embedded[1 + j : 1 + j + count] for j in range(i + 1)], -1)
                y = self.skip[i](z) + F.silu(self.first[i](z))
                for block in self.more[i]:
                    y = y + F.silu(block(y))
                logits = F.linear(y, base.lm_head.weight)
                sums[i] = sums[i] - (teacher[1 + i : 1 + i + count] * F.log_softmax(logits, -1)).sum()
                rows[i] += count
        return sums, rows

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        tensors, layer, p = {}, "prefix_embeding_layer.layers.0.", self.prefix
        for name, weight in (
            ("input_layernorm", p.n1), ("post_attention_layernorm", p.n2), ("self_attn.q_proj", p.q), ("self_attn.k_proj", p.k),
            ("self_attn.v_proj", p.v), ("self_attn.o_proj", p.o), ("mlp.gate_proj", p.gate), ("mlp.up_proj", p.up), ("mlp.down_proj", p.down),
        ):
            tensors[layer + name + ".weight"] = weight.weight
        tensors["prefix_embeding_layer.norm.weight"] = p.n3.weight
        for i in range(HEADS):
            blocks = {"1.linear": self.first[i], "1.res_connection": self.skip[i]}
            blocks |= {f"{2 * j + 3}.linear": block for j, block in enumerate(self.more[i])}
            for name, block in blocks.items():
                tensors[f"hydra_mlp.{i}.{name}.weight"], tensors[f"hydra_mlp.{i}.{name}.bias"] = block.weight, block.bias
        save_file({name: t.detach().bfloat16().contiguous() for name, t in tensors.items()}, folder + "/hydra_lm_head.safetensors")
        with open(folder + "/config.json", "w") as config:
            json.dump({"hydra_num_heads": HEADS, "hydra_num_layers": BLOCKS, "hydra_head_arch": "prefix-mlp", "grounded_heads": True,
                       "hidden_state_offset": 0, "lm_head": "base"}, config)


with open(log_file) as lines:
    ours = [step for step in map(json.loads, lines) if "loss" in step]
folder, name = os.path.split(os.path.abspath(base_file))
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
base.config.head_dim = base.config.hidden_size // base.config.num_attention_heads
heads = Heads(base.config)
matrices = [p for p in heads.parameters() if p.dim() > 1]
vectors = [p for p in heads.parameters() if p.dim() == 1]
optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}], betas=(0.9, 0.999))
trained, begin = 0, time.perf_counter()
for step, (batch, beside) in enumerate(zip(batches(tokenizer, [base.config.bos_token_id]), ours), 1):
    before, trained = trained, trained + sum(map(len, batch))
    if trained != beside["tokens"]:
        sys.exit(f"step {step}: {trained} tokens, {beside['tokens']} in the log: it is of other data or options")
    sums, rows = heads.losses([torch.tensor(ids) for ids in batch], base)
    loss = sum(s / r for s, r in zip(sums, rows))
    for group in optimizer.param_groups:
        group["lr"] = beside["learning_rate"]
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(heads.parameters(), CLIP)
    optimizer.step()
    if step % 10 == 0:
        print(f"{step} steps, {trained} tokens: PyTorch {loss.item():.4f}, Hydra4J {beside['loss']:.4f}; "
              f"{trained / (time.perf_counter() - begin):.0f} tokens/s", flush=True)
    if before // every != trained // every or trained >= tokens_wanted:
        heads.save(f"{output}/{trained}")
    if trained >= tokens_wanted:
        break
