#!/usr/bin/env python3
"""Demands that the answers in benches/questions/questions.jsonl are those that pandas and plain Python find in the files.

    pip install pandas
    python3 scripts/check_questions.py DIR

DIR holds the data sets that benches/questions/sets.rs names, as .jsonl or .jsonl.gz. Nothing of AllSource is used here.
"""

import gzip
import json
import pathlib
import sys
from collections import Counter

import pandas as pd

QUESTIONS = pathlib.Path(__file__).parent.parent / "benches/questions/questions.jsonl"


def lines(directory, name):
    path = pathlib.Path(directory) / f"{name}.jsonl"
    opened = open(path, encoding="utf-8") if path.exists() else gzip.open(f"{path}.gz", "rt", encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


def most(series, count):
    return list(series.value_counts().head(count).index)


def loans(directory):
    log = pd.DataFrame(lines(directory, "loan-applications-2012"))
    log["at"] = pd.to_datetime(log["timestamp"], utc=True, format="ISO8601")

    def of(activity):
        return log[log["activity"] == activity]

    def cases(activity):
        return set(of(activity)["case"])

    yield "loan-size", [log["case"].nunique(), len(log)]
    yield "loan-commonest", most(log["activity"], 3)
    yield "loan-declined", [round(len(cases("A_DECLINED")) / log["case"].nunique(), 4)]
    first = {name: of(name).groupby("case")["at"].first() for name in ["A_SUBMITTED", "A_ACCEPTED", "A_APPROVED"]}
    wait = (first["A_ACCEPTED"] - first["A_SUBMITTED"]).dropna().dt.total_seconds()
    yield "loan-acceptance", [len(wait), float(wait.median())]
    accepted = first["A_ACCEPTED"][first["A_ACCEPTED"] >= first["A_SUBMITTED"].reindex(first["A_ACCEPTED"].index)]
    approved = first["A_APPROVED"].reindex(accepted.index).dropna()
    approved = approved[approved >= accepted.reindex(approved.index)]
    yield "loan-funnel", [len(first["A_SUBMITTED"]), len(accepted), len(approved)]
    done = log[log["lifecycle"] == "COMPLETE"].sort_values(["case", "at"], kind="stable")
    following = done.groupby("case")["activity"].shift(-1)[done["activity"] == "W_Nabellen offertes"].value_counts()
    yield "loan-what-follows", [following.index[1], int(following.iloc[1])]
    yield "loan-busiest", [most(log["resource"], 2)[1], int(log["resource"].value_counts().iloc[1])]
    story = log[log["case"] == "173688"]
    yield "loan-state", [story["activity"].iloc[-1], int(story["amount_requested"].iloc[-1]), len(story)]
    before = story[story["at"] <= pd.Timestamp("2011-10-10T12:00:00+02:00")]
    yield "loan-state-then", [before["activity"].iloc[-1], len(before)]
    yield "loan-activated-by", [int((of("A_ACTIVATED")["at"] <= pd.Timestamp("2011-12-01T00:00:00Z")).sum())]
    days = of("A_SUBMITTED")["at"].dt.date.astype(str).value_counts()
    yield "loan-busiest-day", [days.index[0], int(days.iloc[0])]
    yield "loan-medians", [float(of(name)["amount_requested"].median()) for name in ["A_APPROVED", "A_DECLINED"]]
    large = of("A_APPROVED")[of("A_APPROVED")["amount_requested"] > 25_000]["amount_requested"]
    yield "loan-what-if-cap", [len(large), int(large.max()), 25_000]
    yield "loan-what-if-one", [len(story), len(story) + 1, int(story["amount_requested"].iloc[-1]), 10_000]
    yield "loan-two-offers", [int((of("O_SENT").groupby("case").size() > 1).sum())]
    times = log.groupby("case")["at"]
    seconds = (times.max() - times.min()).dt.total_seconds()
    yield "loan-life", [float(seconds.median()), float(seconds.max())]
    yield "loan-fraud", [len(cases("W_Beoordelen fraude")), len(cases("W_Beoordelen fraude") & cases("A_APPROVED"))]
    day = story[story["at"].dt.date.astype(str) == "2011-10-13"]
    yield "loan-last-day", [len(day), day["activity"].iloc[0], day["activity"].iloc[-1]]
    approvals = of("A_APPROVED").drop_duplicates("case").set_index("case")
    sums = approvals.groupby(approvals["at"].dt.tz_convert(None).dt.to_period("M"))["amount_requested"].sum()
    yield "loan-sum-by-month", [int(sums[pd.Period(month)]) for month in ["2011-10", "2011-11"]]


def github(directory):
    log = pd.DataFrame(lines(directory, "github-2015-02-22"))
    log["at"] = pd.to_datetime(log["dt"], utc=True)

    def of(kind):
        return log[log["type"] == kind]

    yield "hub-stars", most(of("watch")["repo"], 3)
    yield "hub-issues", [int((of("issue")["action"] == action).sum()) for action in ["opened", "closed"]]
    yield "hub-commits", [int(of("push")["commits"].sum()), round(float(of("push")["commits"].mean()), 3)]
    minutes = of("push")["at"].dt.floor("min").value_counts()
    yield "hub-busiest-minute", [minutes.index[0].strftime("%H:%M"), int(minutes.iloc[0])]
    robot = log[log["actor"] == "GoogleCodeExporter"]["type"].value_counts()
    yield "hub-exporter", [int(robot["icomment"]), int(robot["issue"]), int(robot["create"])]
    forks = of("fork")[(of("fork")["repo"] == "jtleek/datasharing")]
    yield "hub-forks-by", [int((forks["at"] <= pd.Timestamp("2015-02-22T21:30:00Z")).sum())]
    opened = of("issue")[of("issue")["action"] == "opened"]
    yield "hub-star-and-issue", [len(set(of("watch")["actor"]) & set(opened["actor"]))]
    both = of("fork").merge(of("pr")[of("pr")["action"] == "opened"], on=["repo", "actor"])
    both = both[both["at_y"] > both["at_x"]]
    yield "hub-fork-then-request", [len(both[["repo", "actor"]].drop_duplicates())]
    docker = log[log["repo"] == "docker/docker"]["type"].value_counts()
    yield "hub-docker", [int(docker.sum()), int(docker["icomment"])]
    people = log.groupby("actor")["repo"].nunique().sort_values(ascending=False)
    yield "hub-widest", [people.index[0], int(people.iloc[0])]
    pushes = [row.get("commits") for row in lines(directory, "github-2015-02-22") if row["type"] == "push"]
    others = sum(not isinstance(commits, int) for commits in pushes)
    yield "hub-schema", ["integer" if others == 0 else "number", "commits", others]
    quarters = log["at"].dt.floor("15min").value_counts().sort_index()
    yield "hub-quarters", [int(quarters.max())]


def windows(directory):
    rows = lines(directory, "windows-security")
    wanted = ["Hostname", "EventID", "capture", "tactic", "@timestamp", "SourceImage", "TargetImage", "TargetObject", "Image",
              "CommandLine", "ParentImage", "ServiceName", "DestinationPort", "TargetUserName", "ProcessName", "Message"]
    log = pd.DataFrame([{name: row.get(name) for name in wanted} for row in rows])
    log["EventID"] = log["EventID"].astype(str)

    def of(number):
        return log[log["EventID"] == number]

    def has(frame, column, part):
        return frame[frame[column].fillna("").str.contains(part, case=False, regex=False)]

    tactics = log["tactic"].value_counts()
    yield "win-tactics", [int(tactics["persistence"]), int(tactics["discovery"])]
    hosts = has(log, "capture", "dcsync")["Hostname"].value_counts()
    yield "win-dcsync-hosts", [hosts.index[0], int(hosts.iloc[0])]
    dump = has(of("1"), "CommandLine", "ntdsutil").iloc[0]
    yield "win-ntds", [dump["CommandLine"], dump["ParentImage"]]
    keys = has(of("13"), "TargetObject", "CurrentVersion\\Run\\Updater").iloc[0]
    yield "win-run-key", [keys["Image"], keys["TargetObject"]]
    lsass = of("10")[of("10")["TargetImage"].fillna("").str.lower().str.endswith("\\lsass.exe")]["SourceImage"].value_counts()
    yield "win-lsass", [lsass.index[0], int(lsass.iloc[0])]
    service = of("7045").iloc[0]
    yield "win-service", [service["ServiceName"], service["Hostname"]]
    cleared = of("104").iloc[0]
    yield "win-cleared", [cleared["Hostname"], cleared["Message"]]
    yield "win-cleared-by-meaning", [cleared["Hostname"], "104"]
    failed = of("4625").iloc[0]
    yield "win-failed-logon", [failed["TargetUserName"], failed["Hostname"]]
    span = log[log["capture"] == "covenant_psremoting_grunt"]["@timestamp"]
    yield "win-span", [span.min(), span.max()]
    ports = of("3")["DestinationPort"].value_counts()
    yield "win-ports", [ports.index[0], int(ports.iloc[0])]
    child = has(of("1"), "ParentImage", "fodhelper").iloc[0]
    yield "win-fodhelper", [child["Image"]]
    mini = has(of("12"), "TargetObject", "Control\\MiniNt").iloc[0]
    yield "win-minint", [mini["Image"], mini["Hostname"]]


def airline(directory):
    rows = lines(directory, "airline-agent-sessions")
    sessions = {}
    for row in rows:
        sessions.setdefault(row["session"], []).append(row)
    rewards = {name: story[-1]["payload"]["reward"] for name, story in sessions.items()}
    called = {name: [call["name"] for row in story if row["type"] == "tool.call" for call in row["payload"]["calls"]]
              for name, story in sessions.items()}
    yield "air-success", [round(sum(rewards.values()) / len(rewards), 4)]
    tools = Counter(tool for names in called.values() for tool in names)
    yield "air-tools", [tools.most_common(1)[0][0], tools.most_common(1)[0][1]]
    moved = [name for name, tools in called.items() if "transfer_to_human_agents" in tools]
    yield "air-transferred", [len(moved), sum(rewards[name] == 1 for name in moved)]
    said = [row["session"] for row in rows if row["type"] == "message.user" and "passed away" in row["payload"]["content"].lower()]
    yield "air-bereaved", sorted(set(said))
    yield "air-bereaved-by-meaning", [sorted(set(said))[0].rsplit("-", 1)[0]]
    failed = Counter(row["payload"]["name"] for row in rows if row["type"] == "tool.result" and row["payload"]["content"].startswith("Error"))
    yield "air-errors", [sum(failed.values()), failed["update_reservation_flights"], failed["book_reservation"]]
    most = max(map(len, sessions.values()))
    yield "air-longest", [most, *sorted(name for name, story in sessions.items() if len(story) == most)]
    follows = Counter()
    for story in sessions.values():
        follows.update((a["type"], b["type"]) for a, b in zip(story, story[1:]))
    (before, behind), count = follows.most_common(1)[0]
    yield "air-what-follows", [before, behind, count]
    yield "air-long-text", [sessions["session-40-0"][0]["payload"]["content"][-60:]]


def webhooks(directory):
    rows = lines(directory, "github-webhooks")

    def of(event):
        return [row["payload"] for row in rows if row["event"] == event]

    opened = Counter(payload["action"] for payload in of("issues"))
    yield "hook-issues", [len(of("issues")), opened["opened"]]
    failed = next(job["workflow_job"] for job in of("workflow_job") if job["workflow_job"].get("conclusion") == "failure")
    yield "hook-failed-step", [next(step["name"] for step in failed["steps"] if step["conclusion"] == "failure")]
    rack = next(alert["alert"] for alert in of("repository_vulnerability_alert") if alert["alert"]["affected_package_name"] == "rack")
    yield "hook-rack", [rack["fixed_in"], rack["external_identifier"]]
    semver = next(alert["alert"] for alert in of("dependabot_alert") if "CVE-2022-25883" in json.dumps(alert))
    yield "hook-cve", [semver["dependency"]["package"]["name"], semver["state"]]
    yield "hook-redos", [semver["security_advisory"]["summary"]]
    own = [job for job in of("workflow_job") if "self-hosted" in job["workflow_job"]["labels"]]
    yield "hook-self-hosted", [len(own)]
    yield "hook-installations", [sum((row["payload"].get("installation") or {}).get("id") is not None for row in rows)]
    tags = Counter(payload["release"]["tag_name"] for payload in of("release") if payload["release"]["prerelease"])
    yield "hook-prereleases", [sum(tags.values()), next(iter(tags))]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = {}
    for answers in [loans, github, windows, airline, webhooks]:
        found.update(answers(sys.argv[1]))
    failures = 0
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        ours, theirs = question["answer"], found.pop(question["id"], None)
        if ours != theirs:
            failures += 1
            print(f"DIFFER {question['id']}\n  file: {ours}\n  here: {theirs}")
    for name, answer in found.items():
        print(f"not asked: {name} {json.dumps(answer, ensure_ascii=False)}")
    sys.exit(f"{failures} differ" if failures else 0)


if __name__ == "__main__":
    main()
