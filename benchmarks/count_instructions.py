#!/usr/bin/env python3
"""Counts what the product kernels' main loops issue, from the machine code of an object or a library.

    count_instructions.py FILE [NAME...]     NAME: parts of a kernel's name, all of which it must have

Needs cuobjdump and nvdisasm in PATH (pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm; they lie in
site-packages/nvidia/cu*/bin). For each kernel, of a turn that ends no row of tiles: instructions of a warp, how many of
them are loads and copies, products (HMMA), what these wait for (barriers and groups of copies), the arithmetic of their
addresses and bounds, conversions of weights, and what is left. An instruction belongs to addresses where a load, copy or
branch of the turn uses its result, directly or through others; to conversions where a product does.
"""

import re
import subprocess
import sys

LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P[T0-9]+)\s+)?([A-Z0-9_.]+)\s*(.*?)\s*;")
REGISTER = re.compile(r"\bU?[RP]\d+\b")
COPIES = ("LDGSTS", "UBLKCP")
LOADS = ("LDS", "LDG", "LDSM", "LDC", "ULDC", "STS", *COPIES)
WAITS = ("BAR", "DEPBAR", "LDGDEPBAR", "SYNCS", "ELECT", "WARPSYNC", "YIELD", "BSYNC", "BSSY", "NOP")
WIDE = {"64": 2, "128": 4}


class Instruction:
    def __init__(self, address, guard, name, operands):
        self.address, self.guard, self.name = address, guard, name
        self.kind = name.split(".")[0]
        self.parts = [part.strip() for part in re.split(r",(?![^\[]*\])", operands)] if operands else []
        stores = self.kind in (*COPIES, "STS", "STG", "BRA", "BAR", "EXIT", "SYNCS")
        written = [] if stores else self.parts[:1]
        # Comparisons and sums with carries leave predicates too.
        for part in [] if stores else self.parts[1:3]:
            if re.fullmatch(r"U?P\d", part) and self.kind.endswith(("SETP", "IADD3", "LEA", "LOP3")):
                written.append(part)
        self.writes = {register for part in written for register in self.registers(part)}
        read = self.parts if stores else self.parts[1:]
        self.reads = {register for part in read for register in REGISTER.findall(part)}
        # Addresses of 64 bits lie in two registers.
        for part in read:
            for register in re.findall(r"\b(U?R)(\d+)(?=\.64|\.U64)", part):
                self.reads.add(f"{register[0]}{int(register[1]) + 1}")
        if guard:
            self.reads.add(guard.lstrip("!"))

    def registers(self, part):
        found = REGISTER.findall(part)
        if not found:
            return []
        count = 4 if self.kind == "HMMA" else 1
        for suffix, words in WIDE.items():
            if suffix in self.name.split(".") or (self.kind.endswith("WIDE") and words == 2):
                count = words
        prefix, number = re.match(r"(U?[RP])(\d+)", found[0]).groups()
        return [f"{prefix}{int(number) + i}" for i in range(count)]

    def target(self):
        match = re.search(r"0x([0-9a-f]+)$", self.parts[-1]) if self.kind == "BRA" and self.parts else None
        return int(match.group(1), 16) if match else None


def kernels(path):
    text = subprocess.run(["cuobjdump", "-sass", path], capture_output=True, text=True, check=True).stdout
    found, name = {}, None
    for line in text.splitlines():
        header = re.search(r"Function : (\S+)", line)
        if header:
            name = subprocess.run(["c++filt", header.group(1)], capture_output=True, text=True, check=True).stdout.strip()
            found[name] = []
            continue
        match = LINE.search(line)
        if match and name:
            found[name].append(Instruction(int(match.group(1), 16), *match.groups()[1:]))
    return found


def turn(code):
    """A turn that ends no row: from the wait for its copies past the products, without what is jumped over."""
    products = [i for i, one in enumerate(code) if one.kind == "HMMA"]
    if not products:
        return []
    begin = max(i for i in range(products[0]) if code[i].kind == "DEPBAR" or "TRYWAIT" in code[i].name)
    at = {one.address: i for i, one in enumerate(code)}

    def way(jumps):
        """Where a jump leaves copies out, it is taken if it is one of `jumps`; what they may be comes with the way."""
        taken, i, left, choices, seen = [], begin, False, [], set()
        while i < len(code) and (i != begin or not taken) and (i, left) not in seen:
            seen.add((i, left))
            one = code[i]
            taken.append(one)
            target = one.target()
            if target is not None:
                # Past the products, the first jump leaves the row's end out, others lead back.
                past = i > products[-1] or left
                # Before the first product, the code of a new row of tiles is jumped over.
                skipped = [each for each in code[i + 1 :] if each.address < target] if target > one.address else []
                skips = one.guard and i < products[0] and skipped and not any(each.kind == "HMMA" for each in skipped)
                if skips and any(each.kind in COPIES for each in skipped):
                    choices.append(i)
                    skips = i in jumps
                if (past and (not left or not one.guard or target < one.address)) or skips or (not one.guard and not past):
                    left = left or past
                    i = at[target]
                    continue
            i += 1
        return taken, choices

    # Copies of a whole turn have code of their own, the shorter one.
    taken, choices = way(())
    ways = [taken] + [way((choice,))[0] for choice in choices]
    most = max(sum(one.kind in COPIES for one in each) for each in ways)
    return min((each for each in ways if sum(one.kind in COPIES for one in each) == most), key=len)


def count(taken):
    kinds = ["other"] * len(taken)
    addresses, values = set(), set()
    # Twice, as what a turn computes at its end serves the next one.
    for _ in range(2):
        for i in range(len(taken) - 1, -1, -1):
            one = taken[i]
            if one.kind == "HMMA":
                kinds[i] = "products"
                values |= {register for part in one.parts[1:3] for register in REGISTER.findall(part)}
                values |= {f"R{int(m) + k}" for part in one.parts[1:3] for m in re.findall(r"\bR(\d+)", part) for k in range(4)}
            elif one.kind in LOADS:
                kinds[i] = "loads"
                addresses |= one.reads
            elif one.kind in WAITS:
                kinds[i] = "waits"
            elif one.kind == "BRA":
                kinds[i] = "other"
            elif one.writes & addresses:
                kinds[i] = "addresses"
                addresses |= one.reads
            elif one.writes & values:
                kinds[i] = "conversions"
                values |= one.reads
    return kinds


def main():
    for name, code in kernels(sys.argv[1]).items():
        if not all(part in name for part in sys.argv[2:]):
            continue
        taken = turn(code)
        if not taken:
            continue
        kinds = count(taken)
        useful = sum(kinds.count(kind) for kind in ("loads", "products", "addresses", "conversions"))
        parts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("loads", "products", "addresses", "conversions", "waits", "other"))
        short = re.sub(r"hydra::cuda::|\(anonymous namespace\)::|\(hydra_type\)|void ", "", name).split("(")[0]
        print(f"{short}: {len(taken)} a turn: {parts}; {100 * useful / len(taken):.0f} % loads, products, addresses, conversions")


if __name__ == "__main__":
    main()
