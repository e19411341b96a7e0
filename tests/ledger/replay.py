#!/usr/bin/env python3
"""Replays a Faregate ledger from its rows, a second time and in another language.

    replay.py faregate.db [--faregate PROGRAM --config FILE]

Prints {"calls", "entries", "difference_nano_usd"} as JSON, and ends with 1 unless the difference is 0. With a program, its
`usage --json` is compared as well: the cost of each day, for each account, key and model.

Needs nothing but Python's standard library. Money is whole billionths of a dollar, as int; decimal texts are read with
Decimal. It is written from the meaning of the tables, not from the program's own replay.
"""

import argparse
import collections
import datetime
import json
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

NANOS = Decimal(1_000_000_000)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("store", type=Path)
    arguments.add_argument("--faregate", type=Path, help="the program, to compare its `usage`")
    arguments.add_argument("--config", type=Path, help="the configuration that names the store")
    asked = arguments.parse_args()

    store = sqlite3.connect(f"{asked.store.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    store.row_factory = sqlite3.Row
    # Everything below sees one state, whatever a daemon writes meanwhile.
    store.execute("BEGIN")
    found = Replay(store)
    differences = found.money() + found.counters() + found.lost()
    if asked.faregate:
        differences += found.usage(asked.faregate, asked.config)
    for owner, what, stored, derived, _ in differences:
        print(f"{owner}: {what} is {stored}, and the rows add up to {derived}", file=sys.stderr)
    print(
        json.dumps(
            {
                "calls": len(found.calls),
                "entries": len(found.entries),
                "difference_nano_usd": sum(off for *_, off in differences),
            }
        )
    )
    return 1 if differences else 0


class Replay:
    """All rows, in memory: a test's store is small."""

    def __init__(self, store: sqlite3.Connection) -> None:
        self.entries = store.execute("SELECT * FROM credit_entries").fetchall()
        self.calls = store.execute("SELECT * FROM calls").fetchall()
        self.balances = dict(store.execute("SELECT account, balance_nano_usd FROM credit_balances"))
        self.lots = dict(store.execute("SELECT entry, remaining_nano_usd FROM credit_lots"))
        self.counted = store.execute("SELECT * FROM counters").fetchall()
        kept = store.execute("SELECT at FROM kept_since WHERE what = 'calls'").fetchone()
        self.kept_since = kept["at"] if kept else ""

    def money(self) -> list:
        """Balances and lots that are not what entries and calls make them."""
        balances = collections.Counter()
        lots = {}
        drawn = collections.Counter()
        wrong = []
        for entry in self.entries:
            balances[entry["account"]] += entry["amount_nano_usd"]
            if entry["amount_nano_usd"] > 0:
                lots[entry["number"]] = (entry["account"], entry["amount_nano_usd"])
            drawn.update(draws(entry["draws"]))
        for call in self.calls:
            if call["credit_charged"]:
                balances[call["account"]] -= call["cost_nano_usd"] or 0
            taken = draws(call["credit_draws"])
            drawn.update(taken)
            due = (call["cost_nano_usd"] or 0) if call["credit_charged"] else 0
            if sum(taken.values()) > due or (call["cost_nano_usd"] or 0) < 0:
                wrong.append((call["account"], f"what call {call['id']} drew", sum(taken.values()), due, 0))
        for account in balances.keys() | self.balances.keys():
            compare(wrong, account, "balance", self.balances.get(account), balances[account])
        for number in lots.keys() | self.lots.keys() | drawn.keys():
            account, amount = lots.get(number, ("nobody", 0))
            compare(wrong, account, f"lot {number}", self.lots.get(number), amount - drawn[number])
        for account, balance in balances.items():
            in_lots = sum(max(amount - drawn[number], 0) for number, (owner, amount) in lots.items() if owner == account)
            if in_lots < balance:
                wrong.append((account, "what the lots have", in_lots, balance, 0))
        return wrong

    def counters(self) -> list:
        """Counters that have more than the calls of their window."""
        wrong = []
        for counter in self.counted:
            start, unit = counter["window_start"], counter["unit"]
            if start < self.kept_since or unit not in ("requests", "tokens", "usd"):
                continue
            first, end = window(start, counter["per"])
            owner = "key" if counter["owner_kind"] == "key" else "account"
            most = 0
            for call in self.calls:
                if call[owner] == counter["owner"] and first <= call["at"] and (end is None or call["at"] < end):
                    most += amount(call, unit)
            if not 0 <= counter["used"] <= most:
                what = f"{unit} per {counter['per']} from {start}"
                off = abs(counter["used"] - most) if unit == "usd" else 0
                wrong.append((counter["owner"], what, counter["used"], most, off))
        return wrong

    def lost(self) -> list:
        """Counters that have less than the calls that name them."""
        series = collections.defaultdict(list)
        for counter in self.counted:
            if counter["unit"] in ("requests", "tokens", "usd"):
                kind = "key" if counter["owner_kind"] == "key" else "account"
                series[kind, counter["owner"], counter["unit"], counter["per"]].append(counter)
        wrong = self.missing(series)
        for (kind, owner, unit, per), counters in series.items():
            counters.sort(key=lambda counter: counter["window_start"])
            kept = [counter for counter in counters if window(counter["window_start"], per)[0] >= self.kept_since]
            if not kept or any(counter["used"] < 0 for counter in kept):
                continue
            starts = [counter["window_start"] for counter in kept]
            calls = [
                (call["at"], amount(call, unit))
                for call in self.calls
                if call[kind] == owner and f"{unit}/{per}" in counted(call, kind)
            ]
            if window(starts[0], per)[1] is None:
                least = sum(add for at, add in calls if at >= starts[0])
                found = [(starts[0], sum(counter["used"] for counter in counters), least)]
            else:
                found = least_of_windows(per, kept, calls)
            for start, used, least in found:
                if used < least:
                    off = least - used if unit == "usd" else 0
                    wrong.append((owner, f"{unit} per {per} from {start}", used, least, off))
        return wrong

    def missing(self, series: dict) -> list:
        """Counters that calls name, and that have no window: the newest always stays."""
        least = collections.Counter()
        for call in self.calls:
            for kind in ("account", "key"):
                for name in counted(call, kind):
                    unit, per = name.split("/")
                    if (kind, call[kind], unit, per) not in series:
                        least[call[kind], unit, per] += amount(call, unit)
        return [
            (owner, f"{unit} in any {per}", 0, lost, lost if unit == "usd" else 0)
            for (owner, unit, per), lost in least.items()
            if lost
        ]

    def usage(self, program: Path, config: Path) -> list:
        """Where the program's own sums by day differ."""
        costs = collections.defaultdict(collections.Counter)
        for call in self.calls:
            day = call["at"][:10]
            account, key, model = call["account"], call["key"], call["model"]
            ways = [(None, None, None), (account, key, None)]
            # Calls that name no model cannot be asked for alone; they are in the other sums.
            ways += [(account, key, model)] if model is not None else []
            for way in ways:
                costs[way][day] += call["cost_nano_usd"] or 0
        wrong = []
        for (account, key, model), derived in costs.items():
            command = [program, "--config", config, "usage", "--by", "day", "--json"]
            for flag, value in (("--account", account), ("--key", key), ("--model", model)):
                command += [flag, value] if value is not None else []
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            days = {row["group"]: nanos(row["cost"]) for row in told["data"]}
            name = "/".join(part or "all" for part in (account, key, model))
            for day in derived.keys() | days.keys():
                compare(wrong, name, f"usage of {day}", days.get(day), derived[day])
        return wrong


def draws(text: str | None) -> collections.Counter:
    return collections.Counter({int(lot): amount for lot, amount in json.loads(text or "{}").items()})


def amount(call: sqlite3.Row, unit: str) -> int:
    return {
        "requests": 1,
        "tokens": call["input_tokens"] + call["output_tokens"],
        "usd": call["cost_nano_usd"] or 0,
    }[unit]


def counted(call: sqlite3.Row, kind: str) -> list:
    """The counters that a call was counted in, by its own words."""
    return json.loads(call["details"] or "{}").get("counted", {}).get(kind, [])


def least_of_windows(per: str, counters: list, calls: list) -> list:
    """What each window has to have. A call of a window's last hour may have been counted in the next one."""
    found = []
    left = 0
    for place, counter in enumerate(counters):
        start, used = counter["window_start"], counter["used"]
        _, end = window(start, per)
        following = counters[place + 1]["window_start"] if place + 1 < len(counters) else None
        late, _ = window(end, per)
        here = sum(add for at, add in calls if start <= at < late)
        # Later than the newest window, which always stays, is nothing.
        until = end if following else "end"
        near = sum(add for at, add in calls if max(start, late) <= at < until)
        least = left + here + (0 if following == end else near)
        found.append((start, used, least))
        left = max(near - max(used - least, 0), 0) if following == end else 0
    return found


def nanos(text: str | None) -> int:
    if text is None:
        return 0
    exact = Decimal(text) * NANOS
    if exact != int(exact):
        raise ValueError(f"{text} is finer than a billionth of a dollar")
    return int(exact)


def compare(wrong: list, owner: str, what: str, stored: int | None, derived: int) -> None:
    off = abs((stored or 0) - derived)
    if off or (stored is None and what != "balance"):
        wrong.append((owner, what, stored, derived, off))


def window(start: str, per: str) -> tuple[str, str | None]:
    """From when to when calls may count in a window; a record has when its call arrived, which may be earlier."""
    begin = datetime.datetime.fromisoformat(start.replace("Z", "+00:00"))
    lengths = {
        "hour": datetime.timedelta(hours=1),
        "day": datetime.timedelta(days=1),
        "week": datetime.timedelta(weeks=1),
    }
    if per == "month":
        # Day 28 and four more are always in the next month.
        end = (begin.replace(day=28) + datetime.timedelta(days=4)).replace(day=begin.day)
    elif per in lengths:
        end = begin + lengths[per]
    else:
        end = None
    written = lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
    return written(begin - datetime.timedelta(hours=1)), end and written(end)


if __name__ == "__main__":
    sys.exit(main())
