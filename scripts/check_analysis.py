#!/usr/bin/env python3
"""Demands that the tool `analyze_events` says exactly what pandas and pm4py say of the same event log.

    pip install pandas pm4py
    python3 scripts/check_analysis.py target/release/allsource loan-applications-2012.jsonl.gz

The file is the BPI Challenge 2012 log as JSON Lines with the fields case, activity, lifecycle, resource and timestamp.
Compared: counts of activities, the directly-follows graph over COMPLETE events with its start and end activities and
the median and p95 wait of each edge, median and p95 of the cases' durations, the funnel A_SUBMITTED -> A_ACCEPTED ->
A_APPROVED with its median times, and submissions per week of a time zone. Counts must be equal; durations too, to the
microsecond in which the store keeps time.
"""

import json
import subprocess
import sys
import tempfile
import time

import pandas as pd
import pm4py

ZONE = "Europe/Amsterdam"
FUNNEL = ["A_SUBMITTED", "A_ACCEPTED", "A_APPROVED"]
COMPLETE = "payload.lifecycle = 'COMPLETE'"

failures = []


def check(what, ours, theirs):
    """Counts a comparison, and shows it when the two differ."""
    if ours == theirs:
        print(f"equal  {what}")
        return
    failures.append(what)
    print(f"DIFFER {what}\n  ours:   {str(ours)[:400]}\n  theirs: {str(theirs)[:400]}")


def micros(seconds):
    """Seconds as the whole microseconds in which the store keeps time."""
    return None if seconds is None or pd.isna(seconds) else round(float(seconds) * 1_000_000)


class Store:
    """The binary over a store of its own."""

    def __init__(self, binary, directory):
        self.binary, self.directory = binary, directory

    def run(self, *arguments):
        command = [self.binary, *arguments, "--data", self.directory]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def analyze(self, **question):
        """All rows of an analysis, page by page, and the facts beside them."""
        started = time.monotonic()
        answer = json.loads(self.run("call", "analyze_events", json.dumps({**question, "limit": 1000, "max_tokens": 10000})))
        print(f"       ({question['analysis']}: {time.monotonic() - started:.2f} s with the start of the process)")
        rows, facts = [], answer.get("facts", {})
        while True:
            if answer.get("complete") is False or answer.get("warnings"):
                sys.exit(f"{question}: the answer is not whole: {answer.get('warnings')}")
            rows += answer["table"]["rows"]
            if "next_cursor" not in answer:
                return rows, facts
            answer = json.loads(self.run("call", "analyze_events", json.dumps({"cursor": answer["next_cursor"], "max_tokens": 10000})))


def activities(store, log):
    rows, _ = store.analyze(analysis="frequency")
    check("counts of activities", {row[0]: row[1] for row in rows}, log["activity"].value_counts().to_dict())


def transitions(store, log):
    done = log[log["lifecycle"] == "COMPLETE"]
    graph, starts, ends = pm4py.discover_dfg(done, case_id_key="case", activity_key="activity", timestamp_key="timestamp")
    rows, facts = store.analyze(analysis="transitions", where=[COMPLETE])
    check("edges of the directly-follows graph", {(row[0], row[1]): row[2] for row in rows}, {k: int(v) for k, v in graph.items()})
    check("start activities", facts["starts"], {k: int(v) for k, v in starts.items()})
    check("end activities", sum(facts["ends"].values()), sum(ends.values()))
    known = {k: int(v) for k, v in ends.items() if k in facts["ends"]}
    check("end activities that are named", {k: v for k, v in facts["ends"].items() if k != "…"}, known)
    done = done.sort_values(["case", "timestamp"], kind="stable")
    following = done.groupby("case")[["activity", "timestamp"]].shift(-1)
    waits = pd.DataFrame({
        "from": done["activity"],
        "to": following["activity"],
        "s": (following["timestamp"] - done["timestamp"]).dt.total_seconds(),
    }).dropna(subset=["to"])
    theirs = waits.groupby(["from", "to"])["s"].quantile([0.5, 0.95]).unstack()
    theirs = {edge: (micros(row[0.5]), micros(row[0.95])) for edge, row in theirs.iterrows()}
    check("median and p95 wait of each edge", {(row[0], row[1]): (micros(row[4]), micros(row[5])) for row in rows}, theirs)


def durations(store, log):
    times = log.groupby("case")["timestamp"]
    seconds = (times.max() - times.min()).dt.total_seconds()
    rows, _ = store.analyze(analysis="duration")
    columns = [len(seconds), micros(seconds.min()), micros(seconds.median()), micros(seconds.quantile(0.95))]
    check("durations of cases: count, min, median, p95", [rows[0][0], *map(micros, rows[0][1:4])], columns)
    check("the longest case", micros(rows[0][5]), micros(seconds.max()))


def funnel(store, log):
    rows, _ = store.analyze(analysis="funnel", steps=FUNNEL)
    log = log.sort_values(["case", "timestamp"], kind="stable")
    reached, waits = [0] * len(FUNNEL), [[] for _ in FUNNEL]
    for _, story in log.groupby("case", sort=False):
        step, before = 0, None
        for activity, at in zip(story["activity"], story["timestamp"]):
            if step < len(FUNNEL) and activity == FUNNEL[step]:
                reached[step] += 1
                if before is not None:
                    waits[step].append((at - before).total_seconds())
                step, before = step + 1, at
    check("keys at each step of the funnel", [row[2] for row in rows], reached)
    medians = [None, *(micros(pd.Series(wait).median()) for wait in waits[1:])]
    check("median time between steps", [micros(row[5]) for row in rows], medians)


def weeks(store, log):
    submitted = log[log["activity"] == "A_SUBMITTED"]
    for zone in ["UTC", ZONE]:
        local = submitted["timestamp"].dt.tz_convert(zone).dt.tz_localize(None)
        theirs = local.dt.to_period("W-SUN").dt.start_time.value_counts().sort_index().asfreq("7D", fill_value=0)
        theirs = {str(day.date()): int(count) for day, count in theirs.items()}
        rows, _ = store.analyze(analysis="time_series", event_type="A_SUBMITTED", bucket="week", time_zone=zone)
        check(f"submissions per week in {zone}", {row[0]: row[1] for row in rows}, theirs)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    binary, path = sys.argv[1:]
    log = pd.read_json(path, lines=True, dtype={"case": str, "resource": str}, convert_dates=False)
    log["timestamp"] = pd.to_datetime(log["timestamp"], utc=True, format="ISO8601")
    with tempfile.TemporaryDirectory() as directory:
        store = Store(binary, directory)
        paths = ["--entity", "/case", "--type", "/activity", "--timestamp", "/timestamp", "--actor", "/resource"]
        store.run("import", *paths, path)
        for compare in [activities, transitions, durations, funnel, weeks]:
            compare(store, log)
    sys.exit(f"{len(failures)} differ: {', '.join(failures)}" if failures else 0)


if __name__ == "__main__":
    main()
