#!/usr/bin/env python3
"""Asks AllSource and DuckDB the same ten questions over the same Parquet files, and says how long each took.

    cargo build --release
    python3 scripts/compare_duckdb.py --data DIR [--field total] [--repeat 7]

DIR is copied, and the copy compacted, so that every event lies in a segment. AllSource is asked over MCP as an agent asks it;
DuckDB runs inside this process, on as many threads as there are processors. Both answer in turns, and the answers must be
equal. Needs duckdb; without it a virtual environment is made under `target/` and it is installed there from PyPI.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target" / "parquet-venv"


def with_duckdb():
    try:
        import duckdb  # noqa: F401
    except ImportError:
        python = ENVIRONMENT / "bin" / "python"
        if pathlib.Path(sys.prefix) == ENVIRONMENT:
            raise
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb"], check=True)
        os.execv(python, [str(python), *sys.argv])


class Server:
    """`allsource mcp`, spoken to in lines of JSON."""

    def __init__(self, program, data):
        command = [program, "mcp", "--data", str(data), "--writes", "none"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.number = 0
        client = {"name": "compare_duckdb", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while True:
            message = json.loads(self.process.stdout.readline())
            if message.get("id") == self.number:
                return message["result"]

    def sql(self, sql):
        answer = self.ask("tools/call", {"name": "run_sql", "arguments": {"sql": sql}})["structuredContent"]
        if answer.get("error", {}).get("code") == "sql_memory":
            return None
        if "error" in answer:
            raise SystemExit(f"FAILED: {sql}: {answer['error']['message']}")
        return answer["table"]["rows"]


def questions(field):
    number = f"try_cast(payload->>'{field}' AS double)"
    follows = "SELECT event_type AS a, lead(event_type) OVER (PARTITION BY entity_id ORDER BY version) AS b FROM events"
    return {
        "count": "SELECT count(*) FROM events",
        "by type": "SELECT count(*), max(n) FROM (SELECT event_type, count(*) AS n FROM events GROUP BY event_type) t",
        "by type and day": "SELECT count(*), max(n) FROM (SELECT event_type, date_trunc('day', timestamp) AS day, count(*) AS n FROM events GROUP BY event_type, day) t",
        "distinct entities": "SELECT count(DISTINCT entity_id) FROM events",
        "busiest entities": "SELECT entity_id, count(*) AS n FROM events GROUP BY entity_id ORDER BY n DESC, entity_id LIMIT 10",
        "one entity": "SELECT max(version), count(*) FROM events WHERE entity_id = (SELECT min(entity_id) FROM events)",
        "a tenth by position": "SELECT count(DISTINCT event_type), min(version) FROM events WHERE position % 10 = 3",
        "payload bytes": "SELECT sum(length(payload)), max(length(payload)) FROM events",
        "a field of the payload": f"SELECT count(v), cast(sum(v) AS bigint) FROM (SELECT {number} AS v FROM events) t",
        "what follows what": f"SELECT count(*), max(n) FROM (SELECT a, b, count(*) AS n FROM ({follows}) f WHERE b IS NOT NULL GROUP BY a, b) t",
    }


def timed(ask, sql):
    started = time.perf_counter()
    rows = ask(sql)
    if rows is None:
        return None, None
    return time.perf_counter() - started, [[str(cell) for cell in row] for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--allsource", default=ROOT / "target" / "release" / "allsource")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--field", default="total")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--in-place", action="store_true", help="compact the store itself instead of a copy")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.data.resolve().parent) as folder:
        copy = options.data
        if not options.in_place:
            copy = pathlib.Path(folder) / "store"
            shutil.copytree(options.data, copy)
        subprocess.run([options.allsource, "compact", "--data", copy, "--hot-window", "0"], check=True, stdout=subprocess.DEVNULL)
        compare(options, copy)


def compare(options, copy):
    import duckdb

    server = Server(options.allsource, copy)
    base = duckdb.connect()
    base.execute("SET timezone = 'UTC'")
    files = copy / "tenants" / "default" / "main" / "segments" / "**" / "*.parquet"
    base.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{files}')")
    segments = base.execute("SELECT count(*) FROM events").fetchone()[0]
    events = server.sql("SELECT count(*) FROM events")[0][0]
    if segments != events:
        raise SystemExit(f"FAILED: {events} events, of which {segments} lie in segments")
    print(f"{events} events, median of {options.repeat}\n")
    print("| question | AllSource | DuckDB | ratio |")
    print("| --- | --- | --- | --- |")
    for name, sql in questions(options.field).items():
        ours, theirs = [], []
        for _ in range(options.repeat):
            seconds, own = timed(server.sql, sql)
            if seconds is None:
                print(f"| {name} | more than its 256 MiB of memory | | |", flush=True)
                break
            ours.append(seconds)
            seconds, other = timed(lambda sql: base.execute(sql).fetchall(), sql)
            theirs.append(seconds)
            if own != other:
                raise SystemExit(f"FAILED: {sql}\n  AllSource: {own}\n  DuckDB:    {other}")
        if not ours:
            continue
        own, other = statistics.median(ours), statistics.median(theirs)
        print(f"| {name} | {own * 1000:.1f} ms | {other * 1000:.1f} ms | {own / other:.2f} |", flush=True)
    server.process.kill()


if __name__ == "__main__":
    with_duckdb()
    main()
