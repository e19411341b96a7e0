"""Whether a call costs the same however much there is: keys, plans, routes, open streams, rows of the ledger."""

import shutil
import time

from . import compare, machine, phases, report, requests
from .gateways import Faregate, Floor

# How many keys take turns where their number is what changes: the number of accounts at work is another figure.
AT_WORK = 1000

POINTS = {
    "keys": (1, 1_000, 10_000, 100_000, 1_000_000),
    "yaml": (1, 1_000, 10_000, 100_000),
    "active": (1, 10, 100, 1_000, 10_000),
    "plans": (1, 10, 100, 1_000),
    "routes": (1, 10, 100, 1_000),
    "streams": (1, 100, 1_000, 10_000),
    "ledger": (0, 10_000, 100_000, 1_000_000, 10_000_000),
}


def gateway(bench, options, dimension, amount):
    """A Faregate with so much of one thing, and as usual otherwise."""
    binary = options.faregates[0][1]
    keys, more = options.keys, {}
    active = options.active_keys or min(AT_WORK, keys)
    if dimension in ("keys", "yaml"):
        keys, active = amount, min(options.active_keys or AT_WORK, amount)
        more["in_yaml"] = dimension == "yaml"
    elif dimension == "active":
        active = min(amount, keys)
    elif dimension == "plans":
        more["plans"] = amount
    elif dimension == "routes":
        more["routes"] = amount
    elif dimension == "ledger":
        more["calls"] = amount
    return Faregate(bench, keys, active, name=f"{dimension}-{amount}", binary=binary, **more)


def measure(one, plan, streams):
    """Start, memory and cost of a call, with so many silent streams beside."""
    result = {"start_seconds": one.start(patience=600)}
    try:
        time.sleep(0.5)
        result["idle_bytes"] = machine.resident(one.process.pid)
        holder = None
        if streams:
            content = requests.body(stream=True, knobs="chunks=2 chunk_delay_ms=600000")
            holder, result["opened"] = one.load.hold(content, streams)
            result["open_bytes"] = machine.resident(one.process.pid)
        result["peak"] = phases.peak(one, plan)
        if holder:
            result["held"] = one.load.release(holder)
    finally:
        one.stop()
    return result


def run(bench, options, plan):
    """All dimensions that were asked for."""
    results = {}
    for dimension in options.scale:
        amounts = [amount for amount in POINTS[dimension] if amount <= options.scale_max]
        if dimension == "active":
            amounts = [amount for amount in amounts if amount <= options.keys]
        elif dimension == "streams":
            amounts = sorted({min(amount, machine.most_streams()) for amount in amounts})
        results[dimension] = dimension_of(bench, options, plan, dimension, amounts)
        print(table(dimension, results[dimension]), flush=True)
    return results


def dimension_of(bench, options, plan, dimension, amounts):
    """One dimension: all its points in every round, in alternating order, beside the floor."""
    floor = Floor(bench, options.keys)
    floor.prepare()
    points = {}
    for amount in amounts:
        print(f"{dimension}: preparing {amount:,}", flush=True)
        points[amount] = gateway(bench, options, dimension, amount)
        points[amount].prepare()
    rounds = []
    for number in range(options.rounds):
        order = ["floor", *amounts]
        one_round = {}
        for amount in order if number % 2 == 0 else reversed(order):
            if amount == "floor":
                one_round["floor"] = compare.measure(floor, plan, ["peak"])
                continue
            streams = amount if dimension == "streams" else 0
            result = one_round[str(amount)] = measure(points[amount], plan, streams)
            print(compare.line(f"{dimension} {amount:,}", result), flush=True)
        rounds.append(one_round)
    for one in points.values():
        shutil.rmtree(one.home, ignore_errors=True)
    rows = [row(rounds, amount, amounts[0]) for amount in amounts]
    return {"rows": rows, "problems": report.problems(rounds), "rounds": rounds}


def row(rounds, amount, first):
    """The figures of one point."""
    name = str(amount)

    def middle(path):
        value = report.spread(report.find(one[name], path) for one in rounds)
        return value and value["median"]

    idle, at_first = middle("idle_bytes"), report.spread(one[str(first)]["idle_bytes"] for one in rounds)["median"]
    opened, with_open = middle("opened"), middle("open_bytes")
    return {
        "amount": amount,
        "cpu_us_call": middle("peak.cpu_us_call"),
        "to_floor": report.ratios(rounds, name, "floor", "peak.cpu_us_call")["median"],
        "to_first": report.ratios(rounds, name, str(first), "peak.cpu_us_call")["median"],
        "start_seconds": middle("start_seconds"),
        "idle_bytes": idle,
        "bytes_each": (idle - at_first) / (amount - first) if amount > first else None,
        "bytes_stream": (with_open - idle) / opened if opened else None,
    }


def table(dimension, result):
    """Markdown."""
    lines = [
        f"| {dimension} | CPU per call, µs | × floor | × the first | start, ms | resident idle, MiB | bytes each |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in result["rows"]:
        each = one["bytes_stream"]
        if each is None and dimension in ("keys", "yaml", "plans", "routes"):
            each = one["bytes_each"]
        lines.append(
            f"| {one['amount']:,} | {one['cpu_us_call']:.1f} | {one['to_floor']:.2f} | {one['to_first']:.2f} | "
            f"{one['start_seconds'] * 1000:,.0f} | {one['idle_bytes'] / (1 << 20):.1f} | "
            f"{'–' if each is None else f'{each:,.0f}'} |"
        )
    return "\n".join(lines)
