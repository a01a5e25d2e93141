#!/usr/bin/env python3
"""Reads the segments of a store with tools that are not ours, and compares them with what the store itself says.

    cargo build --release
    python3 scripts/check_parquet.py                          # a store of generated events, in a temporary directory
    python3 scripts/check_parquet.py --data DIR               # a copy of the store in DIR; DIR is left as it is
    python3 scripts/check_parquet.py --allsource target/debug/allsource --events 100000

Needs pyarrow, duckdb and polars. Without them it makes a virtual environment under `target/` and installs them from PyPI,
so it stays outside `cargo test`. Exits 0 when everything held, and says what did not.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import shutil
import string
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WANTED = ["pyarrow", "duckdb", "polars"]
ENVIRONMENT = ROOT / "target" / "parquet-venv"


def with_libraries():
    """Goes on in an environment that has the libraries, making it when this one has not."""
    try:
        for name in WANTED:
            __import__(name)
    except ImportError:
        python = ENVIRONMENT / "bin" / "python"
        if pathlib.Path(sys.prefix) == ENVIRONMENT:
            raise
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *WANTED], check=True)
        os.execv(python, [str(python), *sys.argv])


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"  ok  {what}", flush=True)


def run(program, *arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise SystemExit(f"FAILED: {program} {' '.join(map(str, arguments))}: exit code {done.returncode}")
    return done.stdout


def generated(count):
    """Events with what other readers may stumble over, the same in every run."""
    dice = random.Random(7)
    start = datetime.datetime(2024, 1, 1)
    for number in range(count):
        time = start + datetime.timedelta(microseconds=number * 1_234_567 + dice.randrange(1_000_000))
        event = {
            "entity_id": f"order-{int(dice.paretovariate(0.8)) % 5_000}",
            "event_type": dice.choice(["order.placed", "order.paid", "Bestellung über 10 €", "SHIPPED"]),
            "timestamp": time.isoformat() + "Z",
            "payload": {"number": number, "text": " ".join(dice.choices(["alpha", "béta", "γ", "\"d\"", "🦀"], k=8))},
        }
        if number % 7 == 0:
            event["event_id"] = f"given \"{number}\""
        if number % 5 == 0:
            event["metadata"] = {"actor": f"actor {number % 11}"}
        if number % 1_000 == 3:
            event["timestamp"] = f"{1700 + number % 269}-02-03T04:05:06.000001Z"
        if number % 1_000 == 4:
            event["payload"] = None
        if number % 5_000 == 5:
            event["payload"] = {"noise": "".join(dice.choices(string.ascii_letters, k=500_000))}
        yield event


def fill(program, data, scratch, count):
    """Three imports with segments made after each: those of the first two are merged, the last lies beside its log."""
    events = list(generated(count))
    for part in range(3):
        lines = scratch / f"part-{part}.jsonl"
        with lines.open("w", encoding="utf-8") as out:
            for event in events[part * count // 3 : (part + 1) * count // 3]:
                out.write(json.dumps(event, ensure_ascii=False) + "\n")
        run(program, "import", "--data", data, lines)
        run(program, "compact", "--data", data, *(["--hot-window", "0"] if part == 1 else []))


def time_text(micros):
    """A time as `allsource export` writes it: with 0, 3 or 6 digits behind the second."""
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    timespec = "seconds" if time.microsecond == 0 else "milliseconds" if time.microsecond % 1_000 == 0 else "microseconds"
    return time.isoformat(timespec=timespec) + "Z"


def exported(row):
    """The line that `allsource export` must write for a row."""
    quoted = lambda text: json.dumps(text, ensure_ascii=False)
    on_a_line = lambda document: document.replace("\n", " ").replace("\r", " ")
    line = (
        f'{{"position":{row["position"]},"version":{row["version"]},"timestamp":"{time_text(row["timestamp"])}",'
        f'"recorded_at":"{time_text(row["recorded_at"])}","event_id":{quoted(row["event_id"])},'
        f'"entity_id":{quoted(row["entity_id"])},"event_type":{quoted(row["event_type"])},'
    )
    # An event that retention has emptied keeps its row, without payload and metadata.
    line += f'"payload":{"null" if row["payload"] is None else on_a_line(row["payload"])}'
    if row["metadata"] is not None:
        line += f',"metadata":{on_a_line(row["metadata"])}'
    return line + "}"


def with_pyarrow(files, lines):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    time = arrow.timestamp("us", tz="UTC")
    expected = [
        ("position", arrow.int64()), ("event_id", arrow.string()), ("tenant_id", arrow.string()),
        ("entity_id", arrow.string()), ("version", arrow.int64()), ("event_type", arrow.string()),
        ("timestamp", time), ("recorded_at", time), ("payload", arrow.string()), ("metadata", arrow.string()),
    ]
    rows = 0
    for path in files:
        file = parquet.ParquetFile(path)
        found = [(field.name, field.type) for field in file.schema_arrow]
        check(found == expected, f"pyarrow: {path.name} has the ten columns")
        optional = [field.name for field in file.schema_arrow if field.nullable]
        check(optional == ["payload", "metadata"], "pyarrow: only payload and metadata may be NULL")
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        columns = [group.column(number) for group in groups for number in range(len(expected))]
        indexed = all(column.has_offset_index for column in columns)
        check(indexed, f"pyarrow: {len(groups)} groups of rows with a page index")
        check({column.compression for column in columns} == {"ZSTD"}, "pyarrow: zstd throughout")
        for batch in file.iter_batches(batch_size=8_192):
            for name in ["timestamp", "recorded_at"]:
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, name, batch.column(at).cast(arrow.int64()))
            for row in batch.to_pylist():
                line = next(lines, None)
                if line is None or exported(row) != line.rstrip("\n"):
                    raise SystemExit(f"FAILED: the row\n  {exported(row)}\nis exported as\n  {line}")
                rows += 1
    check(next(lines, None) is None, f"pyarrow: {rows} rows, each as `allsource export` writes it")
    return rows


def with_duckdb(pattern, stats, events):
    import duckdb

    base = duckdb.connect()
    base.execute("SET TimeZone = 'UTC'")
    base.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{pattern}')")
    ask = lambda query: base.execute(query).fetchall()
    counts = dict(ask("SELECT event_type, count(*) FROM events GROUP BY event_type"))
    check(len(counts) == stats["counts"]["types"], f"duckdb: {len(counts)} event types")
    check(all(counts.get(name) == count for name, count in stats["types"].items()),
          "duckdb: SELECT event_type, count(*) equals `allsource stats`")
    [(rows, first, last, positions, entities)] = ask(
        "SELECT count(*), min(position), max(position), count(DISTINCT position), count(DISTINCT entity_id) FROM events")
    check((rows, first, last, positions) == (events, 1, events, events), f"duckdb: positions 1 to {events} without a gap")
    check(entities == stats["counts"]["entities"], f"duckdb: {entities} entities")
    ask_gaps = "SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY entity_id ORDER BY position) AS n FROM events)"
    check(ask(f"{ask_gaps} WHERE version <> n") == [(0,)], "duckdb: versions without a gap")
    check(ask("SELECT count(DISTINCT event_id) FROM events") == [(events,)], "duckdb: every event_id once")
    entity = ask("SELECT entity_id FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")[0][0]
    quoted = entity.replace("'", "''")
    found = ask(f"SELECT count(*) FROM events WHERE entity_id = '{quoted}'")[0][0]
    counted = ask(f"SELECT count(*) FROM events WHERE entity_id || '' = '{quoted}'")[0][0]
    check(found == counted, f"duckdb: {found} events of {entity}, with the statistics and the bloom filter and without")
    middle = ask("SELECT timestamp::VARCHAR FROM events ORDER BY timestamp LIMIT 1 OFFSET " + str(events // 2))[0][0]
    found = ask(f"SELECT count(*) FROM events WHERE timestamp >= TIMESTAMPTZ '{middle}'")[0][0]
    counted = ask(f"SELECT count(*) FROM events WHERE epoch_us(timestamp) >= epoch_us(TIMESTAMPTZ '{middle}')")[0][0]
    check(found == counted > 0, f"duckdb: {found} events from {middle} on, with the statistics and without")
    filtered = ask(f"SELECT count(*) FROM parquet_metadata('{pattern}') WHERE path_in_schema = 'entity_id' AND bloom_filter_offset IS NULL")
    check(filtered == [(0,)], "duckdb: a bloom filter on entity_id in every group of rows")
    parsed = ask("SELECT count(*) FROM events WHERE payload IS NOT NULL AND NOT json_valid(payload)")
    check(parsed == [(0,)], "duckdb: every payload is JSON")


def with_polars(pattern, stats, events):
    import polars

    frame = polars.read_parquet(pattern)
    check(frame.height == events, f"polars: {events} rows")
    counts = dict(frame.group_by("event_type").len().iter_rows())
    check(all(counts.get(name) == count for name, count in stats["types"].items()), "polars: events by type")
    lazy = polars.scan_parquet(pattern)
    last = lazy.filter(polars.col("position") > events - 10).collect()
    check(sorted(last["position"]) == list(range(max(events - 9, 1), events + 1)), "polars: the last ten by their position")
    time = frame["timestamp"].sort()[events // 2]
    found = lazy.filter(polars.col("timestamp") == time).collect().height
    check(found == (frame["timestamp"] == time).sum() > 0, f"polars: the events of {time.isoformat()}")


def segments_of(branch):
    """The files that the manifest names, and that there are no others."""
    manifest = json.loads((branch / "manifest.json").read_text())["manifest"]
    names = [f"{s['first']:020}-{s['last']:020}-{s['generation']:06}.parquet" for s in manifest.get("segments", [])]
    found = sorted(path.name for path in (branch / "segments").glob("*.parquet"))
    check(found == sorted(names) and names, f"{len(names)} segments, all of them named by the manifest")
    return [branch / "segments" / name for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allsource", default=ROOT / "target" / "release" / "allsource", help="the program")
    parser.add_argument("--data", type=pathlib.Path, help="a store to read instead of a generated one")
    parser.add_argument("--events", type=int, default=30_000, help="how many events to generate")
    arguments = parser.parse_args()
    program = arguments.allsource
    with tempfile.TemporaryDirectory() as place:
        scratch = pathlib.Path(place)
        data = scratch / "store"
        if arguments.data:
            shutil.copytree(arguments.data, data)
            run(program, "compact", "--data", data)
        else:
            fill(program, data, scratch, arguments.events)
        stats = json.loads(run(program, "stats", "--data", data, "--format", "json"))
        events = stats["counts"]["events"]
        run(program, "export", "--data", data, "--output", scratch / "export.jsonl")
        run(program, "verify", "--data", data)
        files = segments_of(data / "tenants" / "default" / "main")
        with (scratch / "export.jsonl").open(encoding="utf-8", newline="\n") as lines:
            rows = with_pyarrow(files, lines)
        check(rows == events, f"{events} events, as `allsource stats` says")
        pattern = str(files[0].parent / "*.parquet")
        with_duckdb(pattern, stats, events)
        with_polars(pattern, stats, events)
    print("all is well")


if __name__ == "__main__":
    with_libraries()
    main()
