"""The gateway under test, a provider that answers with errors, and a count of HTTP attempts."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SUITE = pathlib.Path(__file__).resolve().parent.parent
ROOT = SUITE.parent.parent
# How long the binary may take to listen. Only a broken one needs it.
START_SECONDS = 60

OPENAI_ERRORS = {
    "unpaid": (
        429,
        {
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "param": None,
                "code": "insufficient_quota",
            }
        },
    ),
    "overloaded": (
        429,
        {
            "error": {
                "message": "Rate limit reached for requests",
                "type": "requests",
                "param": None,
                "code": "rate_limit_exceeded",
            }
        },
    ),
}
ANTHROPIC_ERRORS = {
    "unpaid": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            },
        },
    ),
    "overloaded": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
}


class ScriptedProvider(BaseHTTPRequestHandler):
    """Answers every call with the error that its model is named after."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        errors = ANTHROPIC_ERRORS if "messages" in self.path else OPENAI_ERRORS
        status, answer = errors[body["model"]]
        answer = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Attempts:
    """Counts the HTTP requests of a client; give `hooks()` to the client's transport."""

    def __init__(self):
        self.count = 0

    def hooks(self):
        return {"request": [self._sent]}

    def _sent(self, _request):
        self.count += 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binary():
    named = os.environ.get("FAREGATE_BIN")
    if named:
        return pathlib.Path(named)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "faregate"


class Gateway:
    """A running gateway. `stop` ends it the way an operator would and says how it went."""

    def __init__(self, log_path):
        self.provider = ThreadingHTTPServer(("127.0.0.1", 0), ScriptedProvider)
        threading.Thread(target=self.provider.serve_forever, daemon=True).start()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = log_path
        self.log = open(log_path, "wb")
        environment = dict(
            os.environ,
            FAREGATE_TEST_PORT=str(self.port),
            FAREGATE_TEST_PROVIDER_PORT=str(self.provider.server_address[1]),
        )
        self.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(SUITE / "faregate.yaml")],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.process.kill()
            raise

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"faregate ended with {self.process.returncode}:\n{self.output()}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"faregate is not ready after {START_SECONDS} s:\n{self.output()}")

    def output(self):
        self.log.flush()
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.provider.shutdown()
        self.log.close()
        return code
