"""What is sent: bodies, single requests, and the load driver."""

import json
import os
import socket
import subprocess
import time

SYSTEM = "You help the people who run a platform. Answer in a few sentences and say what a choice costs."
QUESTION = (
    "We put a proxy in front of a provider of language models. Which figures should we watch, which of them should wake "
    "somebody at night, and what would you look at first when answers become slow though the provider says all is well?"
)
# A gateway that reads the body may not be spared its escapes.
FILLER = 'The queue was short, and \\"short\\" meant four calls;\\n'


def body(stream=False, knobs="", size=0):
    """A request of half a kilobyte, or of `size` bytes and a few."""
    text = (f"[[{knobs}]] " if knobs else "") + QUESTION
    head = {"model": "gpt-4o-mini"}
    if stream:
        head |= {"stream": True, "stream_options": {"include_usage": True}}
    head |= {"temperature": 0.2, "max_tokens": 256, "user": "user-17"}
    head["messages"] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    whole = json.dumps(head)
    missing = size - len(whole)
    if missing <= 0:
        return whole.encode()
    filler = FILLER * (missing // len(FILLER))
    # Behind the question, inside of its string.
    return (whole[: -len('"}]}')] + filler + '"}]}').encode()


def ask(port, path, key, content, patience=10):
    """The status of one request on a connection of its own; 0 where there is none."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
            connection.sendall(head.encode() + content)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return int(answer.split(b" ", 2)[1])
    except (OSError, ValueError, IndexError):
        return 0


def wait_for_port(port, patience=30):
    begun = time.monotonic()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() - begun > patience:
                raise
            time.sleep(0.005)


class Load:
    """The load driver, aimed at one port. It counts the calls that were answered."""

    def __init__(self, bench, port, path, key="none", keys=1, stride=1):
        self.bench, self.port, self.path = bench, port, path
        self.key, self.keys, self.stride = key, keys, stride
        self.answered = 0

    def _command(self, mode, content, options):
        file = os.path.join(self.bench.work, "body.json")
        with open(file, "wb") as out:
            out.write(content)
        command = [os.path.join(self.bench.binaries, "compare-load"), mode, f"127.0.0.1:{self.port}"]
        command += ["--path", self.path, "--body", file, "--key", self.key, "--keys", str(self.keys)]
        command += ["--stride", str(self.stride)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return self.bench.command(1, command)

    def run(self, mode, content, **options):
        done = subprocess.run(
            self._command(mode, content, options), capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            raise RuntimeError(f"the load driver: {done.stderr.strip()}")
        result = json.loads(done.stdout)
        self.answered += result["ok"]
        return result

    def hold(self, content, streams):
        """Holds silent streams; returns the process and how many are open. End it by `release`."""
        command = self._command("hold", content, {"connections": streams})
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = int(process.stdout.readline().split()[1])
        self.answered += opened
        return process, opened

    @staticmethod
    def release(process):
        return json.loads(process.communicate(input="", timeout=60)[0])
