"""What is measured of one gateway that runs. Each phase gives a dictionary; times are in microseconds."""

import statistics
import time

from . import machine, requests

DIRECT_PATH = "/v1/chat/completions"


class Plan:
    """How long everything takes. Long enough for a hundred scheduler ticks, even when it is quick."""

    def __init__(self, quick):
        self.peak_seconds = 3 if quick else 5
        self.rate_seconds = 3 if quick else 6
        self.stream_seconds = 3 if quick else 5
        self.burst_seconds = 2 if quick else 3
        self.large_seconds = 1 if quick else 2
        self.streams_held = (1000,) if quick else (1000, 4000)
        self.sizes = (100_000, 1_000_000, 10_000_000)
        self.rate = 500
        self.connections = 64


def metered(gateway, work):
    """Runs `work` and adds what the gateway used meanwhile, and what else its core did."""
    before, core_before = machine.Usage(gateway.process.pid), machine.busy(0)
    begun = time.monotonic()
    result = work()
    seconds = time.monotonic() - begun
    cpu, user = machine.Usage(gateway.process.pid).since(before)
    worked, stolen = (now - then for now, then in zip(machine.busy(0), core_before))
    result |= {"cpu_seconds": cpu, "user_share": user, "core_share": cpu / seconds}
    if gateway.bench.pin:
        result |= {"others_share": (worked - cpu) / seconds, "stolen_share": stolen / seconds}
    return result


def _closed(gateway, content, connections, seconds):
    load = gateway.load
    return metered(gateway, lambda: load.run("closed", content, connections=connections, seconds=seconds))


def peak(gateway, plan):
    """64 connections that ask again at once: what a call costs, and how many fit into one core."""
    content = requests.body()
    gateway.load.run("closed", content, connections=plan.connections, seconds=1)
    result = _closed(gateway, content, plan.connections, plan.peak_seconds)
    calls = max(1, result["ok"])
    return result | {"cpu_us_call": result["cpu_seconds"] * 1e6 / calls, "calls_second": calls / result["seconds"]}


def rate(gateway, plan):
    """A fixed rate over 8 connections, between two runs without a gateway: what it adds to a call's time."""
    load, content = gateway.load, requests.body()

    def direct():
        provider = requests.Load(gateway.bench, gateway.bench.provider, DIRECT_PATH)
        return provider.run("open", content, connections=8, rate=plan.rate, seconds=plan.rate_seconds / 2)

    before = direct()
    result = metered(
        gateway, lambda: load.run("open", content, connections=8, rate=plan.rate, seconds=plan.rate_seconds)
    )
    after = direct()
    result["cpu_us_call"] = result["cpu_seconds"] * 1e6 / max(1, result["ok"])
    for name in ("p50", "p99"):
        without = statistics.mean(run["latency_us"][name] for run in (before, after))
        result[f"direct_{name}_us"] = without
        result[f"added_{name}_us"] = result["latency_us"][name] - without if result["ok"] else None
    return result


def _streams(gateway, connections, seconds, pause):
    content = requests.body(stream=True, knobs=f"chunks=64 chunk_delay_ms={pause}")
    result = metered(
        gateway, lambda: gateway.load.run("streams", content, connections=connections, seconds=seconds)
    )
    result["cpu_us_chunk"] = result["cpu_seconds"] * 1e6 / max(1, result["chunks"])
    result["cpu_us_stream"] = result["cpu_seconds"] * 1e6 / max(1, result["ok"])
    # A stream without its end or its figures is not what was paid for.
    result["failed"] += result["ok"] - result["whole_streams"]
    return result


def paced(gateway, plan):
    """64 streams, a chunk every 10 ms."""
    return _streams(gateway, 64, plan.stream_seconds, 10)


def burst(gateway, plan):
    """16 streams whose chunks are all there at once."""
    return _streams(gateway, 16, plan.burst_seconds, 0)


def large(gateway, plan):
    """Prompts of 100 KB, 1 MB and 10 MB: what their bytes cost."""
    results = {}
    for size in plan.sizes:
        content = requests.body(size=size)
        connections = 2 if size > 5_000_000 else 4
        gateway.load.run("closed", content, connections=connections, seconds=0.2)
        result = _closed(gateway, content, connections, plan.large_seconds)
        calls = max(1, result["ok"])
        result["cpu_us_call"] = result["cpu_seconds"] * 1e6 / calls
        result["cpu_ns_byte"] = result["cpu_seconds"] * 1e9 / (calls * len(content))
        results[str(size)] = result
    return results


def held(gateway, plan):
    """Streams that are open and silent: what each needs of memory. Last, because closing them takes a while.

    Those of a smaller number stay open for the next: what they gave back would be there for others to take.
    """
    content = requests.body(stream=True, knobs="chunks=2 chunk_delay_ms=120000")
    results, holders, opened = {}, [], 0
    before = machine.resident(gateway.process.pid)
    for streams in plan.streams_held:
        wanted = streams - opened
        process, more = gateway.load.hold(content, wanted)
        opened += more
        time.sleep(0.5)
        after = machine.resident(gateway.process.pid)
        results[str(streams)] = {
            "opened": opened,
            "resident_before": before,
            "resident_bytes": after,
            "bytes_stream": (after - before) / max(1, opened),
        }
        holders.append((str(streams), process, wanted - more))
    for streams, process, missing in holders:
        outcome = gateway.load.release(process)
        results[streams] |= {
            "ok": outcome["ok"],
            "refused": outcome["refused"],
            "failed": outcome["failed"] + missing,
            "first_problem": outcome["first_problem"],
        }
    time.sleep(0.5)
    return results


ALL = {"peak": peak, "rate": rate, "paced": paced, "burst": burst, "large": large, "held": held}
