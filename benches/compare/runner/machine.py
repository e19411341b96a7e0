"""What the system says: CPU time and memory of processes, versions, free ports."""

import os
import platform
import resource
import socket
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")
# Ten thousand streams through a gateway are twenty thousand sockets of its own.
DESCRIPTORS = 65_536


def raise_descriptors():
    """Lets this process and its children open many files; returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (DESCRIPTORS, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def most_streams():
    """How many streams a gateway has descriptors for, two each. It keeps no connection when few are left: that is not measured."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft * 8 // 10 // 2


def free_port():
    """A port that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        text = file.read()
    # The name in parentheses may contain anything, a space and a parenthesis too.
    return text[text.rindex(")") + 2 :].split()


def tree(pid):
    """A process and everything it started."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(_stat(name)[1]), []).append(int(name))
            except (OSError, ValueError):
                continue
    found, left = [], [pid]
    while left:
        one = left.pop()
        if os.path.exists(f"/proc/{one}"):
            found.append(one)
            left.extend(children.get(one, []))
    return found


class Usage:
    """CPU time of a process and its children up to now."""

    def __init__(self, pid):
        self.user = self.system = 0.0
        self.threads = {}
        for one in tree(pid):
            try:
                fields = _stat(one)
                self.user += (int(fields[11]) + int(fields[13])) / TICKS
                self.system += (int(fields[12]) + int(fields[14])) / TICKS
                for thread in os.listdir(f"/proc/{one}/task"):
                    with open(f"/proc/{one}/task/{thread}/schedstat", encoding="ascii") as file:
                        self.threads[int(thread)] = int(file.read().split()[0])
            except (OSError, ValueError, IndexError):
                continue

    def since(self, before):
        """(seconds, share of them in user mode).

        The scheduler counts every thread in nanoseconds. Where one has ended, its count is gone, and the ticks of the
        process are what is left.
        """
        ticks = self.user + self.system - before.user - before.system
        share = (self.user - before.user) / ticks if ticks > 0 else None
        if before.threads.keys() <= self.threads.keys():
            exact = sum(self.threads.values()) - sum(before.threads.values())
            return exact / 1e9, share
        return ticks, share


def resident(pid):
    """Resident memory of a process and its children, in bytes; pages that two of them share count twice."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


def busy(core):
    """Seconds that a core has worked and seconds that another guest of the host had in its place."""
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"cpu{core} "):
                user, nice, system, _, _, irq, softirq, steal = (int(word) / TICKS for word in line.split()[1:9])
                return user + nice + system + irq + softirq, steal
    return 0.0, 0.0


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except OSError:
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else None


def _model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _release():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def describe():
    """What a reader needs to know of the machine."""
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) * 1024
    return {
        "cpu": _model(),
        "cpus": os.cpu_count(),
        "memory_bytes": memory,
        "system": _release(),
        "kernel": platform.release(),
        "rust": _output("rustc", "--version"),
        "python": platform.python_version(),
    }


def version(*command):
    """The first line a program says about itself."""
    return _output(*command)
