"""Draws the charts of a run as SVG."""

import statistics

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)

COLOURS = {"quorate": "#2a6f97", "lone": "#2a6f97", "rabbitmq": "#f4a261", "artemis": "#9b5de5", "activemq": "#9a8c98"}


def finish(figure, path):
    figure.tight_layout()
    # Neither a date nor random names: the same results give the same file.
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    return path


def bars(axis, run, names, part, figure, title):
    """One bar a broker: the median, with a dot for each round."""
    brokers = run.parts[part]
    for place, broker in enumerate(brokers):
        values = brokers[broker].get(figure, [])
        if not values:
            continue
        middle = statistics.median(values)
        axis.bar(place, middle, color=COLOURS[broker], width=0.6)
        axis.plot([place] * len(values), values, "k.", markersize=4)
        axis.annotate(f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}", (place, max(values)), ha="center", va="bottom", fontsize=8)
    labels = [names[broker].replace(", ", ",\n").replace(" replicated", "\nreplicated") for broker in brokers]
    axis.set_xticks(range(len(brokers)), labels, fontsize=7)
    axis.set_title(title, fontsize=9)
    axis.margins(y=0.15)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)


def grid(run, names, wanted, path):
    """A row of bar charts; `wanted` is (part, figure, title)."""
    wanted = [one for one in wanted if one[0] in run.parts]
    if not wanted:
        return []
    figure, axes = plt.subplots(1, len(wanted), figsize=(3.4 * len(wanted), 3.2), squeeze=False)
    for axis, (part, name, title) in zip(axes[0], wanted):
        bars(axis, run, names, part, name, title)
    return [finish(figure, path)]


def quantiles(run, names, path):
    """p50 and p99 of the confirmation, on a logarithmic scale."""
    titles = {"many": "8 to 8, full speed", "one": "one connection", "thousand": "1,000/s", "same_rate": "8 to 8,\nRabbitMQ's rate",
              "large": "64 KiB", "lone_many": "lone, 8 to 8", "lone_one": "lone, one"}
    parts = [part for part in titles if part in run.parts]
    if not parts:
        return []
    figure, axis = plt.subplots(figsize=(10, 3.6))
    seen, lowest = set(), None
    for place, part in enumerate(parts):
        brokers = list(run.parts[part])
        for number, broker in enumerate(brokers):
            at = place + (number - (len(brokers) - 1) / 2) * 0.22
            low, high = run.median(part, broker, "p50"), run.median(part, broker, "p99")
            lowest = low if lowest is None else min(low, lowest)
            label = None if broker in seen else names[broker]
            seen.add(broker)
            hatch = {"lone": "//"}.get(broker)
            axis.bar(at, high - low, bottom=low, width=0.18, color=COLOURS[broker], label=label, hatch=hatch, edgecolor="white")
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xticks(range(len(parts)), [titles[part] for part in parts], fontsize=8)
    axis.set_ylabel("ms")
    axis.set_title("From a send to its receipt: p50 (lower edge) to p99 (upper edge)", fontsize=9)
    axis.margins(y=0.1)
    axis.set_ylim(bottom=max(lowest, 0.001) / 2)
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return [finish(figure, path)]


def demands(rows, path):
    """Found beside wanted, as a multiple of what was wanted; beyond 1 is better."""
    bars = []
    for text, wanted, found, holds in rows:
        bound = float(wanted.split()[1].replace(",", "")) if len(wanted.split()) > 1 else 0.0
        if bound and found:
            bars.append((text, found / bound if wanted.startswith(">") else bound / found, holds))
    if not bars:
        return []
    figure, axis = plt.subplots(figsize=(9, 0.34 * len(bars) + 1))
    for place, (text, share, holds) in enumerate(reversed(bars)):
        axis.barh(place, share - 1, left=1, color="#2a6f97" if holds else "#d62828")
        axis.annotate(f" {share:.2f}", (max(share, 1), place), va="center", fontsize=8)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.1)
    axis.set_yticks(range(len(bars)), [text for text, _, _ in reversed(bars)], fontsize=8)
    axis.set_title("Found, as a multiple of what was wanted (right of the line: better)", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return [finish(figure, path)]


def draw(run, names, wanted, directory):
    """Writes the charts that the run has figures for; gives their paths."""
    matplotlib.rcParams["svg.hashsalt"] = "quorate"
    matplotlib.rcParams["svg.fonttype"] = "none"
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    throughput = [("many", "produced", "8 to 8, messages/s"), ("large", "produced", "64 KiB, messages/s"),
                  ("topic", "consumed", "fan-out 1 to 8, deliveries/s")]
    single = [("one", "produced", "one connection, messages/s"), ("lone_many", "produced", "lone, 8 to 8, messages/s"),
              ("lone_one", "produced", "lone, one connection, messages/s")]
    cost = [("many", "nodes_us", "8 to 8, CPU of all nodes,\nus a message"), ("many", "tool_us", "8 to 8, CPU of the load tool,\nus a message"),
            ("many", "resident", "8 to 8, resident MiB,\nall nodes")]
    drawn = grid(run, names, throughput, directory / "throughput.svg")
    drawn += grid(run, names, single, directory / "single.svg")
    drawn += grid(run, names, cost, directory / "cost.svg")
    drawn += quantiles(run, names, directory / "confirmation.svg")
    drawn += demands(wanted, directory / "wanted.svg")
    return drawn
