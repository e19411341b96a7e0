"""Figures out of rounds: medians, ratios within a round, and a table."""

import statistics

# (figure, where it stands in a round, divided by, digits, unit)
FIGURES = (
    ("CPU per call, 64 connections", "peak.cpu_us_call", 1, 1, "µs"),
    ("calls per second on one core", "peak.calls_second", 1, 0, "/s"),
    ("share of that core that was used", "peak.core_share", 0.01, 0, "%"),
    ("CPU per call at 500/s", "rate.cpu_us_call", 1, 1, "µs"),
    ("added latency at 500/s, p50", "rate.added_p50_us", 1, 0, "µs"),
    ("added latency at 500/s, p99", "rate.added_p99_us", 1, 0, "µs"),
    ("time to first byte, 64 streams, p50", "paced.first_byte_us.p50", 1, 0, "µs"),
    ("time to first byte, 64 streams, p99", "paced.first_byte_us.p99", 1, 0, "µs"),
    ("delay of a chunk, p50", "paced.chunk_delay_us.p50", 1, 0, "µs"),
    ("delay of a chunk, p99", "paced.chunk_delay_us.p99", 1, 0, "µs"),
    ("CPU per chunk, paced", "paced.cpu_us_chunk", 1, 2, "µs"),
    ("CPU per chunk, in bursts", "burst.cpu_us_chunk", 1, 2, "µs"),
    ("CPU per stream, in bursts", "burst.cpu_us_stream", 1, 0, "µs"),
    ("CPU per byte, prompt of 100 KB", "large.100000.cpu_ns_byte", 1, 3, "ns"),
    ("CPU per byte, prompt of 1 MB", "large.1000000.cpu_ns_byte", 1, 3, "ns"),
    ("CPU per byte, prompt of 10 MB", "large.10000000.cpu_ns_byte", 1, 3, "ns"),
    ("memory per silent stream, 1,000 of them", "held.1000.bytes_stream", 1024, 1, "KiB"),
    ("memory per silent stream, 4,000 of them", "held.4000.bytes_stream", 1024, 1, "KiB"),
    ("resident, idle", "idle_bytes", 1 << 20, 1, "MiB"),
    ("start to first answer of 200", "start_seconds", 0.001, 0, "ms"),
    ("resident, idle, keys in the YAML file", "in_yaml.idle_bytes", 1 << 20, 1, "MiB"),
    ("start to first answer of 200, keys in the YAML file", "in_yaml.start_seconds", 0.001, 0, "ms"),
    ("binary", "binary_bytes", 1 << 20, 1, "MiB"),
)

# What other processes may have of the gateway's core.
DISTURBED = 0.05


def find(tree, path):
    for name in path.split("."):
        if not isinstance(tree, dict) or tree.get(name) is None:
            return None
        tree = tree[name]
    return tree


def spread(values):
    """The middle, the least and the most of some values; nothing of none."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "rounds": len(values)}


def ratios(rounds, name, against, path):
    """A figure against another gateway's of the same round. What is not above zero cannot be compared."""
    pairs = ((find(one.get(name), path), find(one.get(against), path)) for one in rounds)
    return spread(mine / other for mine, other in pairs if mine is not None and other is not None and other > 0)


def summary(rounds, names):
    """{figure: {gateway: {value, to floor, to nginx}}}"""
    result = {}
    for words, path, _, _, unit in FIGURES:
        row = {}
        for name in names:
            value = spread(find(one.get(name), path) for one in rounds)
            if value is None:
                continue
            row[name] = {"value": value}
            for other in ("floor", "nginx"):
                if name != other:
                    row[name][f"to_{other}"] = ratios(rounds, name, other, path)
        if row:
            result[path] = {"figure": words, "unit": unit, "gateways": row}
    return result


def table(figures, names):
    """Markdown. Two columns for each gateway, three for each Faregate."""
    heads, marks = ["figure"], ["---"]
    for name in names:
        extra = [] if name == "floor" else ["× floor"] if name == "nginx" else ["× floor", "× nginx"]
        heads += [name, *extra]
        marks += ["---:"] * (1 + len(extra))
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join(marks) + "|"]
    for words, path, divisor, digits, unit in FIGURES:
        row = figures.get(path)
        if row is None:
            continue
        cells = [f"{words}, {unit}"]
        for name in names:
            entry = row["gateways"].get(name)
            others = [] if name == "floor" else ["floor"] if name == "nginx" else ["floor", "nginx"]
            if entry is None:
                cells += ["–"] * (1 + len(others))
                continue
            # A core that was not full could have done more: the driver or the provider was the limit.
            bound = "≥ " if path == "peak.calls_second" and not _full(figures, name) else ""
            cells.append(f"{bound}{entry['value']['median'] / divisor:,.{digits}f}")
            for other in others:
                ratio = entry.get(f"to_{other}")
                cells.append(f"{ratio['median']:.2f}" if ratio and path != "peak.core_share" else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _full(figures, name):
    share = figures["peak.core_share"]["gateways"].get(name)
    return share is not None and share["value"]["median"] > 0.95


def problems(rounds):
    """Words about every phase in which a call was not answered as it should have been."""
    found = []

    def look(where, tree):
        if not isinstance(tree, dict):
            return
        if tree.get("refused") or tree.get("failed"):
            found.append(f"{where}: {tree['refused']} refused, {tree['failed']} failed: {tree.get('first_problem')}")
        for what in ("others_share", "stolen_share"):
            if tree.get(what, 0) > DISTURBED:
                found.append(f"{where}: {what} of the gateway's core is {tree[what]:.0%}, so its figures are not to be trusted")
        for name, below in tree.items():
            look(f"{where} {name}", below)

    for number, one in enumerate(rounds, 1):
        for name, result in one.items():
            look(f"round {number}, {name}", result)
            rows = result.get("ledger_rows") if isinstance(result, dict) else None
            if rows is not None and rows != result["answered"]:
                found.append(f"round {number}, {name}: {result['answered']} calls answered, {rows} rows in the ledger")
    return found
