"""Reads bodies, each behind four bytes of length, and says in a line what Python's `json` makes of it.

`-` is no JSON, `x` is JSON and no object, and an object is told by the members that count. Members that are there twice
are seen as well, which JSON.parse does not show.
"""

import json
import sys

COUNT = [
    "model", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream", "stream_options", "n", "best_of",
    "messages", "input", "tools",
]
END_OF_BATCH = 0xFFFFFFFF
FOLD = {0x17F: "s", 0x212A: "k"}
FOLD.update({letter: chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)})

# A whole number is a number of any length.
sys.set_int_max_str_digits(0)
sys.setrecursionlimit(10_000)


class Members(list):
    """An object as its members in their order, copies included."""


def constant(name):
    raise ValueError(name + " is no JSON")


def copies(members, names):
    folded = [name.translate(FOLD) for name, _ in members]
    return max((len([f for f in folded if f == name]) for name in names), default=0)


def odd(members, names):
    exact = {name for name, _ in members}
    wrong = any(name.translate(FOLD) in names and name not in names for name in exact)
    return wrong or copies(members, names) > 1


def count(value):
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return str(value) if whole else None


def judge(body):
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=Members, parse_constant=constant)
    except (ValueError, RecursionError):
        return "-"
    if not isinstance(document, Members):
        return "x"
    last = dict(document)
    model = last.get("model")
    if isinstance(model, str):
        try:
            model.encode("utf-8")
        except UnicodeEncodeError:
            model = None
    else:
        model = None
    options = last.get("stream_options")
    options = options if isinstance(options, Members) else []
    stream, limit = last.get("stream"), last.get("max_tokens")
    return json.dumps({
        "model": model,
        "stream": stream is True,
        "stream_is_right": stream is None or isinstance(stream, bool),
        "max_tokens": count(limit),
        # -0 is 0 here, and no count there.
        "max_tokens_is_right": limit is None or count(limit) not in (None, "0"),
        "max_completion_tokens": count(last.get("max_completion_tokens")),
        "copies": odd(document, COUNT),
        "options_copies": 2 if odd(options, ["include_usage"]) else 0,
    })


def main():
    read, write = sys.stdin.buffer, sys.stdout
    while head := read.read(4):
        length = int.from_bytes(head, "big")
        if length == END_OF_BATCH:
            write.flush()
        else:
            write.write(judge(read.read(length)) + "\n")


main()
