#!/usr/bin/env python3
"""How far is the estimate of tokens (src/tools/budget.rs) from real tokenizers? Needs the PyPI package bpe-openai.

    python3 scripts/measure_tokens.py FILE.jsonl[.gz] ...

Makes answers of the lines (tables of 30 rows, whole events by fours) as the tools write them, and prints per file what
cl100k_base and o200k_base count, and the estimate beside the larger of the two. The prices in budget.rs come from a fit of
such runs; `price` below is the same rule as `price` there.
"""
import gzip
import json
import re
import sys

import bpe_openai

RUN = re.compile(r"([A-Z]?[a-z]+)|([A-Z]+)|([0-9]+)|([ \t\n\r\f]+)|([\x80-\u07ff]+)|([^\x00-\x7f]+)|([^A-Za-z0-9\s]+)")


def price(kind, length, beside_digit):
    thirds, quarters = -(-length // 3), -(-length // 4)
    if kind in (1, 2) and beside_digit:
        return 10 * thirds
    if kind == 1:
        return 10 if length <= 8 else 13 + 13 * (length - 8) // 8
    if kind == 2:
        return 20 if length == 1 else 11 * thirds
    if kind == 3:
        return 12 * thirds
    if kind == 4:
        return 0 if length == 1 else 10 * -(-length // 8)
    if kind == 5:
        return 10 * -(-length // 2)
    if kind == 6:
        return 12 * length
    return 6 if length == 1 else 11 * quarters


def estimate(text):
    tenths = 0
    for run in RUN.finditer(text):
        before, behind = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        beside_digit = before.isdigit() or behind.isdigit()
        tenths += price(run.lastindex, len(run.group()), beside_digit)
    return -(-tenths // 10)


def leaves(path, value, depth=4):
    if isinstance(value, dict) and depth:
        for key, member in value.items():
            yield from leaves(f"{path}.{key}", member, depth - 1)
    else:
        yield path, value


def cell(value):
    if isinstance(value, (dict, list)):
        value = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str) and len(value) > 120:
        value = f"{value[:120]}…+{len(value) - 120}"
    return value


def table(rows, first):
    flat = [dict(leaves("payload", row)) for row in rows]
    paths = list(dict.fromkeys(path for row in flat for path in row))
    variety = {path: len({json.dumps(row.get(path)) for row in flat}) for path in paths}
    shown = sorted(paths, key=lambda path: -variety[path])[:8]
    rows = [[first + i, f"entity-{i % 7}", *(cell(row.get(path)) for path in shown)] for i, row in enumerate(flat)]
    return {"untrusted": ["/table"], "table": {"columns": ["position", "entity_id", *shown], "rows": rows}}


def whole(rows, first):
    events = [{"position": first + i, "entity_id": f"entity-{i}", "payload": row} for i, row in enumerate(rows)]
    return {"untrusted": ["/events"], "events": events}


def main(paths):
    larger, other = bpe_openai.get_encoding("o200k_base"), bpe_openai.get_encoding("cl100k_base")
    print("| file | answers | o200k_base | cl100k_base | estimate / larger | least | most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for path in paths:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line, _ in zip(lines, range(2_000))]
        for name, make, size in (("table", table, 30), ("whole", whole, 4)):
            counts = []
            for first in range(0, len(rows), size):
                text = json.dumps(make(rows[first : first + size], first + 1), separators=(",", ":"), ensure_ascii=False)
                counts.append((len(larger.encode(text)), len(other.encode(text)), estimate(text)))
            o200k, cl100k, ours = (sum(column) for column in zip(*counts))
            ratios = [count[2] / max(count[:2]) for count in counts]
            label = f"{path.rsplit('/', 1)[-1]}, {name}"
            print(f"| {label} | {len(counts)} | {o200k} | {cl100k} | {ours / max(o200k, cl100k):.3f} "
                  f"| {min(ratios):.2f} | {max(ratios):.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
