"""Makes tables, bench.json and charts of the measurements in runs.jsonl: render.py RESULTS [--document FILE --charts DIRECTORY]."""

import argparse
import json
import os
import re
import statistics
from pathlib import Path

NAMES = {
    "quorate": "quorate, 3 nodes",
    "rabbitmq": "RabbitMQ, 3 nodes",
    "artemis": "Artemis replicated pair",
    "lone": "quorate, one node",
    "activemq": "ActiveMQ 5, KahaDB, one node",
}
TITLES = {
    "many": "8 producers x 100 under way, 8 consumers, one queue, 1 KiB persistent (RabbitMQ: quorum queue, here and below)",
    "one": "One producer that waits for each receipt, 1 KiB persistent",
    "large": "64 KiB persistent, 2 producers x 100 under way, 2 consumers",
    "topic": "Topic fan-out 1 to 8, 1 KiB non-persistent, 100 under way",
    "thousand": "1,000 messages a second, 1 producer, 1 consumer",
    "same_rate": "8 to 8 at the rate that RabbitMQ reaches (RabbitMQ: at full speed)",
    "lone_many": "Lone brokers: 8 producers x 100 under way, 8 consumers",
    "lone_one": "Lone brokers: one producer that waits for each receipt",
}
MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")


def load(path):
    """The lines of a run: the machine, and the rest."""
    text = path.read_text()
    lines, decoder, at = [], json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        lines.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    machine = next(line for line in lines if line["part"] == "machine")
    return machine, lines


def figures(line):
    """What a measurement says, per message or per second."""
    tool = line["tool"]
    # A message of a topic is delivered to each consumer: there the delivery is what counts.
    topic = line["part"] == "topic"
    messages = max(tool["consumed_total"] if topic else tool["confirmed_total"], 1)
    in_time = max(tool["consumed"] if topic else tool["confirmed"], 1)
    syncs = line["syncs"]
    ours = line["nodes_cpu_s"] + line["other_brokers_cpu_s"] + line["tool_cpu_s"]
    found = {
        "produced": tool["produced_per_second"],
        "consumed": tool["consumed_per_second"],
        "p50": tool["confirm_ms"]["p50"],
        "p99": tool["confirm_ms"]["p99"],
        "nodes_us": line["nodes_cpu_s"] * 1e6 / messages,
        "tool_us": tool["client_cpu_s"] * 1e6 / in_time,
        "resident": sum(line["resident_mib"]),
        "others": max(line["machine_cpu_s"] - ours, 0) / line["wall_s"],
        "stolen": line["stolen_cpu_s"] / line["wall_s"],
    }
    if syncs and tool["settings"]["persistent"]:
        found["per_sync"] = tool["confirmed_total"] * line["nodes"] / syncs
    return found


def collect(lines):
    """part -> broker -> figure -> values by round."""
    out = {}
    for line in lines:
        if "tool" not in line:
            continue
        of_broker = out.setdefault(line["part"], {}).setdefault(line["broker"], {})
        for name, value in figures(line).items():
            of_broker.setdefault(name, []).append(value)
    # quorate first, whoever was measured first
    order = list(NAMES)
    return {part: dict(sorted(brokers.items(), key=lambda pair: order.index(pair[0]))) for part, brokers in out.items()}


class Run:
    """Medians of one run."""

    def __init__(self, machine, lines):
        self.machine, self.lines, self.parts = machine, lines, collect(lines)

    def median(self, part, broker, name):
        values = self.parts.get(part, {}).get(broker, {}).get(name)
        return statistics.median(values) if values else None

    def ratio(self, part, name, one, other):
        """Median of the ratios round by round: both halves of a pair have seen the same disk."""
        of_part = self.parts.get(part, {})
        pairs = zip(of_part.get(one, {}).get(name, []), of_part.get(other, {}).get(name, []))
        ratios = [a / b for a, b in pairs if b]
        return statistics.median(ratios) if ratios else None

    def of(self, part):
        return [line for line in self.lines if line["part"] == part]

    def of_brokers(self, part):
        """One line of each broker, though it may have been started twice."""
        return list({line["broker"]: line for line in reversed(self.of(part))}.values())[::-1]

    def disk(self):
        rounds = [line["rounds_per_second"] for line in self.of("disk")]
        return statistics.median(rounds) if rounds else None


def number(value, digits=3):
    """Three digits that count, whole numbers in full."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(digits - max(len(str(int(value))), 1), 1)}f}" if value >= 0.9995 else f"{value:.3g}"


ROWS = [
    ("confirmed messages/s", "produced", True),
    ("consumed messages/s", "consumed", True),
    ("confirmation p50, ms", "p50", False),
    ("confirmation p99, ms", "p99", False),
    ("CPU of all nodes, us a message", "nodes_us", False),
    ("CPU of the load tool, us a message", "tool_us", False),
    ("messages per sync of a node", "per_sync", False),
    ("resident MiB of all nodes, after it", "resident", False),
]


def part_table(run, part):
    brokers = list(run.parts[part])
    first, others = brokers[0], brokers[1:]
    head = ["", *(NAMES[broker] for broker in brokers)]
    head += [f"ratio to {NAMES[other].split()[0].rstrip(',')}" for other in others]
    rows = [head, ["---"] * len(head)]
    for title, name, compared in ROWS:
        if part == "topic" and name == "consumed":
            title = "deliveries/s"
        if part == "topic" and name.endswith("_us"):
            title = title.replace("a message", "a delivery")
        values = [run.median(part, broker, name) for broker in brokers]
        if not any(values):
            continue
        row = [title, *(number(value) if value is not None else "not counted" for value in values)]
        row += [number(run.ratio(part, name, first, other)) if compared else "" for other in others]
        rows.append(row)
    spread = ["range of confirmed messages/s"]
    for broker in brokers:
        values = run.parts[part][broker]["produced"]
        spread.append(f"{number(min(values))} to {number(max(values))}")
    rows.append(spread + [""] * len(others))
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"### {TITLES[part]}\n\n{text}\n"


def demands(run):
    """What was asked for: text, wanted, found, whether it holds."""

    def at_least(text, found, bound, unit=""):
        return (text, f">= {number(bound)}{unit}", found, None if found is None else found >= bound)

    def at_most(text, found, bound, unit=""):
        return (text, f"<= {number(bound)}{unit}", found, None if found is None or bound is None else found <= bound)

    disk, one = run.disk(), run.median("one", "quorate", "produced")
    threefold, of_disk = run.ratio("one", "produced", "quorate", "rabbitmq"), one / disk if one and disk else None
    starts = [ms for line in run.of("start") for ms in line["milliseconds"]]
    idle = [mib for line in run.of("idle") if line["broker"] == "quorate" for mib in line["resident_mib"]]
    rows = [
        at_least("8 to 8, times RabbitMQ", run.ratio("many", "produced", "quorate", "rabbitmq"), 4),
        at_least("8 to 8, times the Artemis pair", run.ratio("many", "produced", "quorate", "artemis"), 1),
        at_most("8 to 8, CPU of all nodes, us a message", run.median("many", "quorate", "nodes_us"), 45),
        at_most("p99 at RabbitMQ's own rate, ms (bound: RabbitMQ's there)", run.median("same_rate", "quorate", "p99"),
                run.median("same_rate", "rabbitmq", "p99")),
        at_most("1,000 a second, p50, ms", run.median("thousand", "quorate", "p50"), 0.5),
        at_most("1,000 a second, p99, ms", run.median("thousand", "quorate", "p99"), 2),
        at_least("one connection, times RabbitMQ", threefold, 3),
        at_least("... or share of write-and-sync rounds of the disk", of_disk, 0.6),
        at_least("64 KiB, times RabbitMQ", run.ratio("large", "produced", "quorate", "rabbitmq"), 2),
        at_least("... messages/s (twice 1,580)", run.median("large", "quorate", "produced"), 3160),
        at_least("fan-out 1 to 8, deliveries, times RabbitMQ", run.ratio("topic", "consumed", "quorate", "rabbitmq"), 5),
        at_least("... deliveries/s (five times 41,000)", run.median("topic", "quorate", "consumed"), 205000),
        at_least("lone broker 8 to 8, times ActiveMQ", run.ratio("lone_many", "produced", "lone", "activemq"), 3),
        at_least("lone broker, one producer, times ActiveMQ", run.ratio("lone_one", "produced", "lone", "activemq"), 1.5),
        at_most("lone broker, start to serving, ms", statistics.median(starts) if starts else None, 300),
        at_most("idle node, resident MiB", max(idle) if idle else None, 30),
    ]
    return [row for row in rows if row[2] is not None]


def demand_table(run):
    rows = [["", "wanted", "found", ""], ["---"] * 4]
    for text, wanted, found, holds in demands(run):
        rows.append([text, wanted, number(found), {True: "yes", False: "no", None: "not comparable"}[holds]])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def machine_text(run):
    machine, versions = run.machine, run.machine["versions"]
    flat = [(figure, line["broker"], line["part"]) for line in run.lines if "tool" in line for figure in [figures(line)]]
    others = [figure["others"] for figure, _, _ in flat] or [0]
    stolen = [figure["stolen"] for figure, _, _ in flat] or [0]
    mode = {"plain": "plain text on loopback, no TLS", "mutual": "mutual TLS between the quorate nodes"}[machine["replication"]]
    disk = run.disk()
    idle = "; ".join(
        f"{NAMES[line['broker']]}: {number(sum(line['resident_mib']))} MiB" for line in run.of_brokers("idle"))
    settings = "\n".join(f"- {NAMES[line['broker']]}: {line['text']}" for line in run.of_brokers("settings"))
    return f"""{machine['date']}, commit {machine['commit']}. {machine['processors']} x {machine['processor']}, {machine['memory_gib']} GiB, \
{machine['file_system']}, Linux {machine['kernel']}, {machine['system']}; all nodes, ZooKeeper and the load share processors and disk.
{machine['rounds']} rounds of {machine['seconds']} s after 1 s of warming up; figures are medians, ratios are medians of the rounds' ratios.
One write and sync of 1 KiB in one file, one thread: {number(disk) or 'not measured'} rounds/s.
Replication: {mode}; clients and peers in plain text.
{versions['quorate']} ({versions['rust']}), ZooKeeper {versions['zookeeper']}, RabbitMQ {versions['rabbitmq']}, Artemis {versions['artemis']}, \
ActiveMQ {versions['activemq']}, {versions['java']}.

{settings}

Resident when idle, all nodes: {idle or 'not measured'}.
Other processes took {number(100 * statistics.median(others))} % of one processor in the median measurement and \
{number(100 * max(others))} % in the worst; the machine's host took {number(100 * max(stolen))} % in the worst. Load average before: {machine['load_before']}.
"""


def broken(run):
    """Measurements whose consumers did not get what was confirmed, or whose connections broke."""
    out = []
    for line in run.lines:
        tool = line.get("tool")
        if not tool:
            continue
        where = f"{line['part']} {line['round']}, {NAMES[line['broker']]}"
        if tool["reconnects"] or tool["unknown_total"]:
            out.append(f"{where}: {tool['reconnects']} reconnects, {tool['unknown_total']} sends of unknown outcome")
        fan_out = tool["settings"]["consumers"] if line["part"] == "topic" else 1
        missing = tool["confirmed_total"] * fan_out - tool["consumed_total"]
        if tool["settings"]["consumers"] and missing > 0:
            out.append(f"{where}: {missing:,} messages were not consumed in the 10 s after the measurement")
    return out


def document(run):
    parts = "\n".join(part_table(run, part) for part in TITLES if part in run.parts)
    remarks = "".join(f"- {line}\n" for line in broken(run))
    remarks = f"\nWhat did not go smoothly:\n{remarks}" if remarks else ""
    wanted = demand_table(run) if demands(run) else ""
    return f"{machine_text(run)}{remarks}\n{wanted}\n{parts}"


def write_document(path, text, charts):
    """Replaces what stands between the marks."""
    whole = path.read_text()
    pictures = "\n".join(f"![{chart.stem}]({os.path.relpath(chart, path.parent)})" for chart in charts)
    pattern = re.compile(re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1]), re.S)
    if not pattern.search(whole):
        raise SystemExit(f"{path} has no {MARKS[0]} .. {MARKS[1]}")
    inside = f"{MARKS[0]}\n{text}\n{pictures}\n{MARKS[1]}"
    path.write_text(pattern.sub(lambda _: inside, whole))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--document", type=Path)
    parser.add_argument("--charts", type=Path)
    arguments = parser.parse_args()
    runs = arguments.results / "runs.jsonl"
    if not runs.exists():
        raise SystemExit(f"{runs}: nothing has been measured")
    run = Run(*load(runs))
    text = document(run)
    (arguments.results / "bench.md").write_text(text)
    summary = {
        "machine": run.machine,
        "wanted": [dict(zip(("what", "wanted", "found", "holds"), row)) for row in demands(run)],
        "parts": run.parts,
        "measurements": run.lines,
    }
    (arguments.results / "bench.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(text)
    if arguments.document:
        from charts import draw  # needs matplotlib, which tables do not

        write_document(arguments.document, text, draw(run, NAMES, demands(run), arguments.charts))


if __name__ == "__main__":
    main()
