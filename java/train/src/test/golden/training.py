"""Makes resources/golden/training.safetensors with PyTorch: gradients and ten steps of AdamW of tiny heads.

    python training.py ../resources/golden/training.safetensors

Parameters and inputs follow from formulas that the test repeats, so that the file holds results alone: for each case and parameter
<case>/gradient/<name> after the first batch, <case>/parameter/<name> after ten steps, and <case>/losses [10].
"""

import math
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HIDDEN, HEADS, KV_HEADS, HEAD_SIZE, INNER, VOCABULARY = 12, 4, 2, 4, 12, 40
EPSILON, THETA = 1e-5, 10000.0
LENGTHS = (7, 1, 12)  # of the texts of the batch
DRAFT_HEADS = 2
HEAD_WEIGHTS = (1.0, 0.5)
STEPS, PEAK, WARM_UP, DECAY, CLIP = 10, 0.01, 4, 0.1, 1.0


def wave(shape, seed, scale, shift=0.0):
    count = math.prod(shape)
    i = torch.arange(count, dtype=torch.float64)
    return (shift + scale * torch.sin(0.37 * i * (1 + seed % 7) + seed)).float().reshape(shape)


def target_counts(position):
    return position % 5 != 3


class Case:
    def __init__(self, kind, blocks, tied, private, data, teacher):
        self.kind, self.blocks, self.tied, self.private, self.data, self.teacher = kind, blocks, tied, private, data, teacher
        self.parameters = {}
        queries, keys = HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
        if kind == "plus":
            p = "prefix_embeding_layer.layers.0."
            self.norm(p + "input_layernorm.weight")
            self.matrix(p + "self_attn.q_proj.weight", queries, HIDDEN)
            self.matrix(p + "self_attn.k_proj.weight", keys, HIDDEN)
            self.matrix(p + "self_attn.v_proj.weight", keys, HIDDEN)
            self.matrix(p + "self_attn.o_proj.weight", HIDDEN, queries)
            self.norm(p + "post_attention_layernorm.weight")
            self.matrix(p + "mlp.gate_proj.weight", INNER, HIDDEN)
            self.matrix(p + "mlp.up_proj.weight", INNER, HIDDEN)
            self.matrix(p + "mlp.down_proj.weight", HIDDEN, INNER)
            self.norm("prefix_embeding_layer.norm.weight")
        for head in range(DRAFT_HEADS):
            width = HIDDEN if kind == "medusa" else (head + 2) * HIDDEN
            for block in range(blocks):
                if block > 1 and tied:
                    continue
                name = self.block(head, block)
                columns = width if block == 0 else HIDDEN
                self.matrix(name + ".linear.weight", HIDDEN, columns)
                self.vector(name + ".linear.bias", HIDDEN)
                if block == 0 and kind != "medusa":
                    self.matrix(name + ".res_connection.weight", HIDDEN, columns)
                    self.vector(name + ".res_connection.bias", HIDDEN)
            if private:
                self.matrix(self.lm_head(head) + ".weight", VOCABULARY, HIDDEN)
                if kind != "medusa":
                    self.vector(self.lm_head(head) + ".bias", VOCABULARY)

    def block(self, head, block):
        if self.tied and block > 1:
            block = 1
        if self.kind == "medusa":
            return f"{head}.{block}"
        return f"hydra_mlp.{head}.{2 * block + 1 if self.kind == 'plus' else block}"

    def lm_head(self, head):
        if self.kind == "medusa":
            return f"{head}.{self.blocks}"
        return f"hydra_lm_head.{head}" + (".1" if self.kind == "plus" else "")

    def add(self, name, shape, scale, shift=0.0):
        # The seed of a parameter is the sum of its name's characters.
        self.parameters[name] = wave(shape, sum(name.encode()), scale, shift).requires_grad_()

    def matrix(self, name, *shape):
        self.add(name, shape, 0.3)

    def vector(self, name, length):
        self.add(name, (length,), 0.1)

    def norm(self, name):
        self.add(name, (HIDDEN,), 0.2, 1.0)

    def rms(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.parameters[name]

    def rope(self, x):
        length, half = x.shape[0], HEAD_SIZE // 2
        frequencies = THETA ** (-2.0 * torch.arange(half, dtype=torch.float64) / HEAD_SIZE)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
        cos, sin = angles.cos().float()[:, None], angles.sin().float()[:, None]
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def prefix(self, x):
        p, w = "prefix_embeding_layer.layers.0.", self.parameters
        length = x.shape[0]
        n = self.rms(x, p + "input_layernorm.weight")
        q = self.rope((n @ w[p + "self_attn.q_proj.weight"].T).view(length, HEADS, HEAD_SIZE))
        k = self.rope((n @ w[p + "self_attn.k_proj.weight"].T).view(length, KV_HEADS, HEAD_SIZE))
        v = (n @ w[p + "self_attn.v_proj.weight"].T).view(length, KV_HEADS, HEAD_SIZE)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        y = F.scaled_dot_product_attention(q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), is_causal=True)
        x = x + y.transpose(0, 1).reshape(length, -1) @ w[p + "self_attn.o_proj.weight"].T
        n = self.rms(x, p + "post_attention_layernorm.weight")
        inner = F.silu(n @ w[p + "mlp.gate_proj.weight"].T) * (n @ w[p + "mlp.up_proj.weight"].T)
        x = x + inner @ w[p + "mlp.down_proj.weight"].T
        return self.rms(x, "prefix_embeding_layer.norm.weight")

    def head(self, head, z):
        w = self.parameters
        for block in range(self.blocks):
            name = self.block(head, block)
            a = F.silu(z @ w[name + ".linear.weight"].T + w[name + ".linear.bias"])
            if block == 0 and self.kind != "medusa":
                z = z @ w[name + ".res_connection.weight"].T + w[name + ".res_connection.bias"] + a
            else:
                z = z + a
        return z

    def loss(self, step):
        rows = sum(LENGTHS)
        states = wave((rows, HIDDEN), 3 + step, 1.0)
        tokens = [(7 * i * i + 3 * i + step) % VOCABULARY for i in range(rows)]
        embedding, lm_head = wave((VOCABULARY, HIDDEN), 11, 1.0), wave((VOCABULARY, HIDDEN), 5, 0.5)
        total = torch.zeros(())
        sums, counts = [torch.zeros(()) for _ in range(DRAFT_HEADS)], [0] * DRAFT_HEADS
        start = 0
        for length in LENGTHS:
            h = states[start : start + length]
            text = tokens[start : start + length]
            seen = self.prefix(h) if self.kind == "plus" else h
            teacher = F.softmax(h @ lm_head.T, -1)
            for head in range(DRAFT_HEADS):
                at = [t for t in range(length - 2 - head) if target_counts(start + t + 2 + head)]
                if not at:
                    continue
                z = seen[at]
                if self.kind != "medusa":
                    z = torch.cat([z] + [embedding[[text[t + 1 + j] for t in at]] for j in range(head + 1)], -1)
                y = self.head(head, z)
                name = self.lm_head(head)
                logits = y @ (self.parameters[name + ".weight"] if self.private else lm_head).T
                if self.private and self.kind != "medusa":
                    logits = logits + self.parameters[name + ".bias"]
                logp = F.log_softmax(logits, -1)
                labels = torch.tensor([text[t + 2 + head] for t in at])
                data = -logp.gather(1, labels[:, None]).sum()
                distilled = -(teacher[[t + 1 + head for t in at]] * logp).sum()
                sums[head] = sums[head] + self.data * data + self.teacher * distilled
                counts[head] += len(at)
            start += length
        for head in range(DRAFT_HEADS):
            total = total + HEAD_WEIGHTS[head] * sums[head] / counts[head]
        return total

    def train(self, name, out):
        matrices = [p for p in self.parameters.values() if p.dim() > 1]
        vectors = [p for p in self.parameters.values() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": DECAY}]
        if vectors:
            groups.append({"params": vectors, "weight_decay": 0.0})
        optimiser = torch.optim.AdamW(groups, lr=PEAK)
        losses = []
        for step in range(STEPS):
            for group in optimiser.param_groups:
                rise = min(1.0, (step + 1) / WARM_UP)
                group["lr"] = PEAK * rise * (0.33 + 0.67 * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
            optimiser.zero_grad()
            loss = self.loss(step)
            loss.backward()
            losses.append(loss.item())
            if step == 0:
                for parameter, value in self.parameters.items():
                    out[f"{name}/gradient/{parameter}"] = value.grad.clone()
            torch.nn.utils.clip_grad_norm_(matrices + vectors, CLIP)
            optimiser.step()
        for parameter, value in self.parameters.items():
            out[f"{name}/parameter/{parameter}"] = value.detach().clone()
        out[f"{name}/losses"] = torch.tensor(losses)
        print(name, sum(p.numel() for p in self.parameters.values()), losses)


torch.manual_seed(0)
results = {}
Case("medusa", 2, False, False, 1.0, 0.0).train("medusa", results)
Case("hydra", 1, False, True, 1.0, 0.0).train("hydra", results)
Case("plus", 3, True, False, 0.3, 1.0).train("hydra-plus-plus", results)
save_file(results, sys.argv[1])
