"""The gateways that are compared: their configuration, how they start and how they end."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time

from . import accounts, machine, requests

MODEL = """\
  gpt-4o-mini: {provider: upstream, context_window: 16000000, max_output_tokens: 16384}
"""


class Bench:
    """Where everything is, and which cores it may use."""

    def __init__(self, root, work, binaries, faregate, pin):
        self.root, self.work, self.binaries, self.faregate = root, work, binaries, faregate
        self.pin = pin
        self.provider = None

    def command(self, core, command):
        return ["taskset", "-c", str(core), *command] if self.pin else list(command)

    def start_provider(self):
        self.provider = machine.free_port()
        command = [os.path.join(self.binaries, "compare-provider"), f"127.0.0.1:{self.provider}"]
        process = subprocess.Popen(self.command(1, command))
        # taskset becomes the program, so the number of the process is the program's.
        requests.wait_for_port(self.provider)
        return process


class Gateway:
    """A gateway that was configured and runs or does not."""

    name = ""
    does = ""
    path = "/v1/chat/completions"

    def __init__(self, bench, keys, active=None):
        self.bench, self.keys = bench, keys
        self.active = min(keys, active or keys)
        self.home = os.path.join(bench.work, self.name)
        self.process = self.port = self.log = self.load = None

    def prepare(self):
        """What is done once, however often it starts."""
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)

    def configure(self):
        """What is done before each start, with the port at hand; returns the command."""
        raise NotImplementedError

    def binary(self):
        return None

    def version(self):
        return None

    def start(self, patience=60):
        """Starts it; returns the seconds from then to the first answer of 200."""
        self.port = machine.free_port()
        command = self.configure()
        self.log = open(os.path.join(self.home, "errors.log"), "ab")
        body = requests.body()
        begun = time.monotonic()
        self.process = subprocess.Popen(
            self.bench.command(0, command), cwd=self.home, stdout=subprocess.DEVNULL, stderr=self.log
        )
        while time.monotonic() - begun < patience:
            if self.process.poll() is not None:
                break
            status = requests.ask(self.port, self.path, accounts.key(0), body)
            if status == 200:
                seconds = time.monotonic() - begun
                stride = self.keys // self.active
                self.load = requests.Load(self.bench, self.port, self.path, accounts.KEY, self.active, stride)
                self.load.answered = 1
                return seconds
            time.sleep(0.001 if time.monotonic() - begun < 2 else 0.02)
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            words = file.read()[-1500:]
        self.stop()
        raise RuntimeError(f"{self.name} gives no answer of 200: {words}")

    def stop(self):
        """Ends it, gently first. Every process is one that this gateway started."""
        if self.process is None:
            return
        everything = machine.tree(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in everything:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait(10)
        self.process = None
        self.log.close()

    def rows(self):
        """Calls in its ledger; nothing where it has none."""
        return None

    def binary_bytes(self):
        path = self.binary()
        return os.path.getsize(path) if path else None


class Floor(Gateway):
    name = "floor"
    does = "bare hyper proxy: forwards, checks nothing"

    def binary(self):
        return os.path.join(self.bench.binaries, "compare-floor")

    def version(self):
        with open(os.path.join(self.bench.root, "benches/compare/Cargo.lock"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        return "hyper " + lines[lines.index('name = "hyper"') + 1].split('"')[1]

    def configure(self):
        return [self.binary(), f"127.0.0.1:{self.port}", f"127.0.0.1:{self.bench.provider}"]


class DurableFloor(Floor):
    """What Faregate promises of its ledger, and nothing else that it does: what a call costs at least where it is kept."""

    name = "floor-durable"
    does = "bare hyper proxy with a durable ledger: for each call two file writes, a row and two counters; checks nothing"

    def binary(self):
        return os.path.join(self.bench.binaries, "compare-floor-durable")

    def configure(self):
        self.ledger = os.path.join(self.home, f"{self.port}")
        os.makedirs(self.ledger)
        return [*super().configure(), self.ledger]

    def stop(self):
        # Its last group is written by then; it has no drain of its own.
        time.sleep(0.5)
        super().stop()

    def rows(self):
        return _count(os.path.join(self.ledger, "ledger.db"))


class Nginx(Gateway):
    name = "nginx"
    does = "key map, limit_req per key, key swap; no log, no metering"

    def binary(self):
        # Debian's own directory of daemons is not on everybody's path.
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    def version(self):
        return machine.version(self.binary(), "-v")

    def prepare(self):
        super().prepare()
        accounts.nginx_map(os.path.join(self.home, "keys.map"), self.keys)

    def configure(self):
        text = f"""\
daemon off;
worker_processes 1;
worker_rlimit_nofile 60000;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 32m;
  client_body_buffer_size 32m;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  map_hash_max_size {max(2048, 2 * self.keys)};
  map_hash_bucket_size 128;
  map $http_authorization $key_id {{ default ""; include keys.map; }}
  limit_req_zone $key_id zone=each_key:64m rate=1000000r/s;
  upstream provider {{
    server 127.0.0.1:{self.bench.provider};
    keepalive 20000;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{
      if ($key_id = "") {{ return 401; }}
      limit_req zone=each_key burst=1000000 nodelay;
      limit_req_status 429;
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-of-the-provider";
    }}
  }}
}}
"""
        with open(os.path.join(self.home, "nginx.conf"), "w", encoding="ascii") as file:
            file.write(text)
        return [self.binary(), "-e", "stderr", "-p", self.home, "-c", "nginx.conf"]


class Faregate(Gateway):
    """Everything a paid service needs is on: see the text of the configuration."""

    name = "faregate"
    does = "keys, subscription, rate limits, quotas, budgets, credit, metering, durable ledger, access log"
    checks = """\
    subscription: required
    credit: required
    rate_limits: {requests_per_minute: 1000000000, tokens_per_minute: 4000000000, concurrent_requests: 1000000}
    quotas: [{tokens: 900000000000000, per: day}, {requests: 1000000000000, per: month}]
    budgets: [{usd: 1000000, per: month}]
    per_key:
      rate_limits: {requests_per_minute: 1000000000}
      quotas: [{requests: 1000000000000, per: day}]
      budgets: [{usd: 1000000, per: month}]
"""
    prices = """\
prices:
  gpt-4o-mini: {input: 0.15, cached_input: 0.075, output: 0.60}
"""
    credit = True

    def __init__(self, bench, keys, active=None, *, name=None, binary=None, plans=1, routes=0, in_yaml=False, calls=0):
        self.name = name or self.name
        super().__init__(bench, keys, active)
        self.program = binary or bench.faregate
        self.plans, self.routes, self.in_yaml, self.calls = plans, routes, in_yaml, calls
        # A copy of each start would take longer than what is measured; the few calls of a round change little.
        self.copied = keys <= 100_000 and calls <= 100_000
        self.store = os.path.join(self.home, "faregate.db")
        self.filled = os.path.join(self.home, "filled.db")
        if routes:
            self.path = f"/route-{routes // 2}/v1/chat/completions"

    def binary(self):
        return self.program

    def version(self):
        return machine.version(self.binary(), "--version")

    def prepare(self):
        super().prepare()
        self.port = machine.free_port()
        yaml, self.in_yaml = self.in_yaml, False
        command = self.configure()
        # The daemon makes the store; then its accounts go in.
        process = subprocess.Popen(command, cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            requests.wait_for_port(self.port)
        finally:
            process.send_signal(signal.SIGTERM)
            words = process.communicate(timeout=20)[1]
        if process.returncode != 0:
            raise RuntimeError(words.decode(errors="replace"))
        self.in_yaml = yaml
        if not yaml:
            accounts.fill_store(self.store, self.keys, self.plans, credit=self.credit)
        if self.calls:
            accounts.add_calls(self.store, self.calls, self.keys)
        if self.copied:
            shutil.move(self.store, self.filled)

    def configure(self):
        if self.copied:
            for end in ("", "-wal", "-shm", ".inflight"):
                if os.path.exists(self.store + end):
                    os.remove(self.store + end)
            if os.path.exists(self.filled):
                # A copy is in the page cache, as the store of a daemon that is started again would be.
                shutil.copyfile(self.filled, self.store)
        plans = "".join(f"  plan-{number}:\n{self.checks}" for number in range(self.plans))
        routes = ""
        if self.routes:
            routes = "routes:\n  - {path: /, dialect: auto}\n" + "".join(
                f"  - {{path: /route-{number}, provider: upstream, strip_prefix: true}}\n"
                for number in range(self.routes)
            )
        text = f"""\
server:
  listen: 127.0.0.1:{self.port}
  limits: {{connections: 40000}}
store:
  url: "sqlite:{self.store}"
  in_flight: 32768
providers:
  upstream: {{kind: openai, base_url: "http://127.0.0.1:{self.bench.provider}", api_key: sk-of-the-provider}}
models:
{MODEL}{self.prices}{routes}plans:
{plans}payment:
  pay_url: https://billing.example.com/pay?account={{account}}
log: {{format: json}}
"""
        if self.in_yaml:
            text += accounts.yaml(self.keys, self.plans)
        config = os.path.join(self.home, "faregate.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        return [self.binary(), "serve", "--config", config]

    def rows(self):
        if not self.copied:
            return None
        return _count(self.store) - self.calls


def _count(store):
    """Calls in a ledger."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    finally:
        connection.close()


class Quickstart(Faregate):
    """The limits of `config/quickstart.yaml`, with a store on disk."""

    does = "keys, two rate limits, two quotas, metering, durable ledger, access log"
    checks = """\
    rate_limits: {requests_per_minute: 1000000000, concurrent_requests: 1000000}
    quotas: [{tokens: 900000000000000, per: day}, {requests: 1000000000000, per: month}]
"""
    prices = ""
    credit = False
