"""Rounds over all gateways, in alternating order."""

import time

from . import machine, phases, report
from .gateways import DurableFloor, Faregate, Floor, Nginx, Quickstart

IN_YAML = "-yaml"
QUICKSTART = "-quickstart"


def gateways(bench, options):
    """Those that this run compares, ready to start."""
    chosen = [Floor(bench, options.keys, options.active_keys)]
    if options.durable:
        chosen.append(DurableFloor(bench, options.keys, options.active_keys))
    nginx = Nginx(bench, options.keys, options.active_keys)
    if nginx.binary():
        chosen.append(nginx)
    else:
        print("nginx is not here (Debian: apt-get install nginx-light); the comparison goes without it", flush=True)
    for name, binary in options.faregates:
        chosen.append(Faregate(bench, options.keys, options.active_keys, name=name, binary=binary))
        chosen.append(
            Quickstart(bench, options.keys, options.active_keys, name=name + QUICKSTART, binary=binary)
        )
        # Only started: nothing else is different with the keys in the configuration file.
        chosen.append(
            Faregate(bench, options.keys, options.active_keys, name=name + IN_YAML, binary=binary, in_yaml=True)
        )
    if options.only:
        chosen = [one for one in chosen if one.name.removesuffix(IN_YAML) in ["floor", DurableFloor.name, *options.only]]
    for gateway in chosen:
        gateway.prepare()
    return chosen


def measure(gateway, plan, wanted):
    """One gateway through all phases. Streams are held by a process of their own: memory that other phases have given
    back to the allocator would hide what they take."""
    result = _run(gateway, plan, [name for name in wanted if name != "held"])
    if "held" in wanted:
        again = _run(gateway, plan, ["held"])
        result["held"] = again["held"]
        result["answered"] += again["answered"]
        if result["ledger_rows"] is not None:
            result["ledger_rows"] += again["ledger_rows"]
    return result


def _run(gateway, plan, wanted):
    """One gateway, started afresh, through some phases."""
    result = {"start_seconds": gateway.start(), "binary_bytes": gateway.binary_bytes()}
    try:
        time.sleep(0.5)
        result["idle_bytes"] = machine.resident(gateway.process.pid)
        for name in wanted:
            result[name] = phases.ALL[name](gateway, plan)
    finally:
        gateway.stop()
    result["answered"] = gateway.load.answered
    result["ledger_rows"] = gateway.rows()
    return result


def line(name, result):
    """What is worth seeing while it runs."""
    words = [f"start {result['start_seconds'] * 1000:.0f} ms", f"idle {result['idle_bytes'] / (1 << 20):.1f} MiB"]
    for label, path, digits in (
        ("CPU/call", "peak.cpu_us_call", 1),
        ("calls/s", "peak.calls_second", 0),
        ("added p50", "rate.added_p50_us", 0),
        ("CPU/chunk", "paced.cpu_us_chunk", 2),
        ("in bursts", "burst.cpu_us_chunk", 2),
    ):
        value = report.find(result, path)
        if value is not None:
            words.append(f"{label} {value:,.{digits}f}")
    return f"  {name}: " + " · ".join(words)


def run(bench, options, plan):
    """Everything; returns the part of the result that is this comparison's."""
    chosen = gateways(bench, options)
    compared = [gateway for gateway in chosen if not gateway.name.endswith(IN_YAML)]
    rounds = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        results = {}
        for gateway in chosen if number % 2 == 0 else reversed(chosen):
            results[gateway.name] = measure(gateway, plan, options.phases if gateway in compared else [])
            print(line(gateway.name, results[gateway.name]), flush=True)
        for name, _ in options.faregates:
            in_yaml = results.pop(f"{name}{IN_YAML}", None)
            if in_yaml and name in results:
                results[name]["in_yaml"] = in_yaml
        rounds.append(results)
    names = [gateway.name for gateway in compared]
    return {
        "gateways": {one.name: {"version": one.version(), "does": one.does} for one in compared},
        "figures": report.summary(rounds, names),
        "problems": report.problems(rounds),
        "rounds": rounds,
    }
