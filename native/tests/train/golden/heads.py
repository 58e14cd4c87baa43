"""Makes heads.golden: the gradients of a tiny set of Hydra++ heads, and what ten steps of AdamW make of them.

    python heads.py            # needs PyTorch; writes heads.golden beside itself

All inputs are numbers of a formula that heads_test.cpp computes too. The file is little-endian float32: the loss of each of
the ten steps, the norm of the gradients of each, the gradients of the first step, and the parameters after the last one, in
the order of parameters(). PyTorch computes in float64; what is stored is rounded once.
"""
import math
import os

import torch
from torch.nn.functional import silu, softmax, log_softmax

HIDDEN, QUERY_HEADS, KV_HEADS, HEAD_SIZE, FEED_FORWARD = 12, 3, 1, 4, 20
VOCABULARY, HEADS, BLOCKS = 30, 3, 2
EPSILON, THETA = 1e-5, 10000.0
TEXTS = [9, 6]
DATA_SCALE, TEACHER_SCALE = 0.02, 0.03
RATE, BETAS, ADAM_EPSILON, DECAY, CLIP, STEPS = 1e-2, (0.9, 0.95), 1e-8, 0.1, 0.5, 10


def numbers(seed, count, scale):
    """Value i is scale * (the middle bits of a product - 1/2)."""
    words = [((seed * 7919 + i + 1) * 2654435761 >> 8) % 65536 for i in range(count)]
    return torch.tensor([scale * (word / 65536 - 0.5) for word in words], dtype=torch.float32).double()


def matrix(seed, rows, columns, scale=0.8):
    return numbers(seed, rows * columns, scale).reshape(rows, columns)


def tokens(seed, count):
    return [((seed * 7919 + i + 1) * 2654435761 >> 8) % 65536 % VOCABULARY for i in range(count)]


def parameters():
    """Name to value, in the order of the file."""
    kv, all = KV_HEADS * HEAD_SIZE, QUERY_HEADS * HEAD_SIZE
    shapes = [("norm1", 0, HIDDEN), ("q", all, HIDDEN), ("k", kv, HIDDEN), ("v", kv, HIDDEN), ("o", HIDDEN, all),
              ("norm2", 0, HIDDEN), ("gate", FEED_FORWARD, HIDDEN), ("up", FEED_FORWARD, HIDDEN),
              ("down", HIDDEN, FEED_FORWARD), ("norm", 0, HIDDEN)]
    for i in range(HEADS):
        width = (i + 2) * HIDDEN
        shapes += [(f"{i}.a", HIDDEN, width), (f"{i}.a_bias", 0, HIDDEN), (f"{i}.r", HIDDEN, width), (f"{i}.r_bias", 0, HIDDEN)]
        for b in range(1, BLOCKS):
            shapes += [(f"{i}.{b}", HIDDEN, HIDDEN), (f"{i}.{b}_bias", 0, HIDDEN)]
        shapes += [(f"{i}.lm", VOCABULARY, HIDDEN), (f"{i}.lm_bias", 0, VOCABULARY)]
    values = {}
    for seed, (name, rows, columns) in enumerate(shapes):
        value = matrix(seed, max(rows, 1), columns)
        if rows == 0:
            value = value[0] + (1 if "norm" in name else 0)
        values[name] = value.clone().requires_grad_(True)
    return values


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * weight


def rotate(x):
    """x [heads][rows][head size]."""
    half = HEAD_SIZE // 2
    frequencies = torch.tensor([THETA ** (-2 * i / HEAD_SIZE) for i in range(half)], dtype=torch.float32).double()
    angles = torch.arange(x.shape[1]).double()[:, None] * frequencies
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], -1)


def prefix(p, h):
    """The prefix layer over one text: h [rows][hidden]."""
    rows = h.shape[0]
    x = norm(h, p["norm1"])
    split = lambda y, heads: y.reshape(rows, heads, HEAD_SIZE).transpose(0, 1)
    q, k, v = rotate(split(x @ p["q"].T, QUERY_HEADS)), rotate(split(x @ p["k"].T, KV_HEADS)), split(x @ p["v"].T, KV_HEADS)
    k, v = (y.repeat_interleave(QUERY_HEADS // KV_HEADS, 0) for y in (k, v))
    scores = q @ k.transpose(1, 2) / math.sqrt(HEAD_SIZE)
    scores = scores.masked_fill(torch.ones(rows, rows).triu(1).bool(), -math.inf)
    attended = (softmax(scores, -1) @ v).transpose(0, 1).reshape(rows, -1)
    h = h + attended @ p["o"].T
    x = norm(h, p["norm2"])
    h = h + (silu(x @ p["gate"].T) * (x @ p["up"].T)) @ p["down"].T
    return norm(h, p["norm"])


def loss_of(p, step):
    total = 0
    embedding, base_head = matrix(1000, VOCABULARY, HIDDEN), matrix(1001, VOCABULARY, HIDDEN, 2.0)
    for text, length in enumerate(TEXTS):
        h = matrix(2000 + 10 * step + text, length, HIDDEN, 3.0)
        ids = tokens(3000 + 10 * step + text, length)
        state, q = prefix(p, h), softmax(h @ base_head.T, -1)
        for i in range(HEADS):
            rows = length - 2 - i
            parts = [state[:rows]] + [embedding[ids[1 + j:1 + j + rows]] for j in range(i + 1)]
            z = torch.cat(parts, -1)
            y = z @ p[f"{i}.r"].T + p[f"{i}.r_bias"] + silu(z @ p[f"{i}.a"].T + p[f"{i}.a_bias"])
            for b in range(1, BLOCKS):
                y = y + silu(y @ p[f"{i}.{b}"].T + p[f"{i}.{b}_bias"])
            log_p = log_softmax(y @ p[f"{i}.lm"].T + p[f"{i}.lm_bias"], -1)
            targets = torch.tensor(ids[2 + i:2 + i + rows])
            data = -log_p[torch.arange(rows), targets].sum()
            teacher = -(q[1 + i:1 + i + rows] * log_p).sum()
            total = total + DATA_SCALE * data + TEACHER_SCALE * teacher
    return total


def main():
    p = parameters()
    optimizer = torch.optim.AdamW(p.values(), lr=RATE, betas=BETAS, eps=ADAM_EPSILON, weight_decay=DECAY)
    losses, norms, gradients = [], [], None
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(p, step)
        loss.backward()
        if gradients is None:
            gradients = [value.grad.clone().flatten() for value in p.values()]
        # Clipping as clip_grad_norm_ does it, but for what it adds to the norm.
        length = math.sqrt(sum(value.grad.pow(2).sum().item() for value in p.values()))
        for value in p.values():
            value.grad *= min(1, CLIP / length)
        losses.append(loss.item())
        norms.append(length)
        optimizer.step()
    all = torch.cat([torch.tensor(losses).double(), torch.tensor(norms).double(), *gradients,
                     *[value.detach().flatten() for value in p.values()]])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "heads.golden"), "wb") as file:
        file.write(all.float().numpy().tobytes())
    print(losses, norms, all.numel())


main()
