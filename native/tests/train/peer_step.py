"""Times training steps of Hydra++ heads in PyTorch, as train_benchmark step does them: frozen hidden states, soft targets from
the base's LM head, AdamW with clipping.

    python peer_step.py hidden vocabulary rows heads blocks prefix(0|1) [own] [compile]

own: every head has an LM head of its own; compile: by torch.compile.
"""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

hidden, vocabulary, rows, heads, blocks, prefix = map(int, sys.argv[1:7])
own = len(sys.argv) > 7 and "own" in sys.argv[7:]
compiled = "compile" in sys.argv[7:]
texts, head_size = max(1, rows // 512), 64
queries = hidden // head_size
keys = max(1, queries // 3)
torch.manual_seed(0)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x):
        return F.rms_norm(x, (hidden,), self.weight, 1e-5)


class Prefix(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        feed_forward = hidden * 8 // 3
        self.n1, self.n2, self.n3 = Norm(), Norm(), Norm()
        self.q, self.k, self.v = linear(hidden, queries * head_size), linear(hidden, keys * head_size), linear(hidden, keys * head_size)
        self.o = linear(queries * head_size, hidden)
        self.gate, self.up, self.down = linear(hidden, feed_forward), linear(hidden, feed_forward), linear(feed_forward, hidden)
        angles = torch.arange(512)[:, None] * 10000.0 ** (-torch.arange(0, head_size, 2) / head_size)
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([-angles.sin(), angles.sin()], -1))

    def rotate(self, x):
        return x * self.cos + torch.cat([x[..., head_size // 2:], x[..., :head_size // 2]], -1) * self.sin

    def forward(self, h):
        x = self.n1(h)
        split = lambda y: y.view(texts, -1, y.shape[-1] // head_size, head_size).transpose(1, 2)
        y = F.scaled_dot_product_attention(self.rotate(split(self.q(x))), self.rotate(split(self.k(x))), split(self.v(x)),
                                           is_causal=True, enable_gqa=True)
        h = h + self.o(y.transpose(1, 2).reshape(texts, -1, queries * head_size))
        x = self.n2(h)
        return self.n3(h + self.down(F.silu(self.gate(x)) * self.up(x)))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.prefix = Prefix() if prefix else None
        self.a = nn.ModuleList(nn.Linear((i + 2) * hidden, hidden) for i in range(heads))
        self.r = nn.ModuleList(nn.Linear((i + 2) * hidden, hidden) for i in range(heads))
        self.more = nn.ModuleList(nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(blocks - 1)) for _ in range(heads))
        self.lm = nn.ModuleList(nn.Linear(hidden, vocabulary) for _ in range(heads)) if own else None

    def forward(self, h, embedded, base_head):
        with torch.no_grad():
            q = F.softmax(h @ base_head.T, -1)
        state = self.prefix(h) if prefix else h
        total = 0
        for i in range(heads):
            n = h.shape[1] - 2 - i
            z = torch.cat([state[:, :n]] + [embedded[:, 1 + j:1 + j + n] for j in range(i + 1)], -1)
            y = self.r[i](z) + F.silu(self.a[i](z))
            for block in self.more[i]:
                y = y + F.silu(block(y))
            logits = self.lm[i](y) if own else y @ base_head.T
            total = total - (q[:, 1 + i:1 + i + n] * F.log_softmax(logits, -1)).sum()
        return total / (rows * heads)


model = Heads()
base_head = torch.randn(vocabulary, hidden) * 0.05
embedding = torch.randn(vocabulary, hidden) * 0.05
h = torch.randn(texts, rows // texts, hidden)
ids = torch.randint(vocabulary, (texts, rows // texts))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
forward = torch.compile(model) if compiled else model


def step():
    optimizer.zero_grad()
    loss = forward(h, embedding[ids], base_head)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


for _ in range(2):
    step()
times = []
end = time.perf_counter() + 7
while time.perf_counter() < end:
    begin = time.perf_counter()
    loss = step()
    times.append(time.perf_counter() - begin)
times.sort()
print(f"PyTorch {'compiled' if compiled else 'eager'}, {torch.get_num_threads()} threads: {times[0] * 1e3:.0f} ms best, "
      f"{times[len(times) // 2] * 1e3:.0f} ms median of {len(times)}, {rows / times[len(times) // 2]:.0f} tokens/s")
