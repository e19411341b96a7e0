"""Payment events, signed by Stripe's own SDK: taken once, however often they are sent, and across a kill."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import stripe
from gateway import START_SECONDS, SUITE, binary, free_port

SECRET = "whsec_sdk_suite_0123456789abcdef"
TOKEN = "sdk-suite-admin-token-of-32-bytes"
KEY = "sdk-suite-key-of-the-member"
PATH = "/faregate/webhooks/stripe"
COPIES = 1000
AT_ONCE = 50


class House:
    """A gateway with a store of its own, to be killed and started again."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port, self.admin = free_port(), free_port()
        self.process = None
        self.start()

    def start(self):
        environment = dict(
            os.environ,
            FAREGATE_TEST_PORT=str(self.port),
            FAREGATE_TEST_ADMIN_PORT=str(self.admin),
            FAREGATE_TEST_STORE=str(self.folder / "faregate.db"),
            STRIPE_WEBHOOK_SECRET=SECRET,
        )
        log = open(self.folder / "faregate.log", "ab")
        self.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(SUITE / "payments.yaml")],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "faregate.log").read_text(errors="replace")
            try:
                if self.ask(self.port, "GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError((self.folder / "faregate.log").read_text(errors="replace"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    @staticmethod
    def ask(port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, event, header=None):
        payload = json.dumps(event)
        header = header or stripe.WebhookSignature.generate_signature_header(payload, SECRET)
        return self.ask(self.port, "POST", PATH, payload, {"stripe-signature": header})

    def administer(self, path):
        status, answer = self.ask(self.admin, "GET", f"/admin/v1{path}", None, {"authorization": f"Bearer {TOKEN}"})
        assert status == 200, answer
        return answer

    def chat(self):
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        return self.ask(self.port, "POST", "/v1/chat/completions", body, headers)


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    if house.process.poll() is None:
        assert house.stop() == 0, (tmp_path / "faregate.log").read_text(errors="replace")


def event(number, kind, thing):
    return {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "type": kind,
        "data": {"object": thing},
    }


def top_up(number):
    session = {
        "id": f"cs_{number}",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "amount_total": 2500,
        "currency": "usd",
        "payment_intent": f"pi_{number}",
        "metadata": {"faregate_account": "buyer"},
    }
    return event(number, "checkout.session.completed", session)


def test_what_the_sdk_signs_is_taken_and_what_it_refuses_is_not(house):
    bought = top_up(1)
    payload = json.dumps(bought)
    header = stripe.WebhookSignature.generate_signature_header(payload, SECRET)
    assert stripe.Webhook.construct_event(payload, header, SECRET)["id"] == "evt_1"
    assert house.post(bought, header) == (200, {"received": True, "status": "applied"})

    other = stripe.WebhookSignature.generate_signature_header(payload, SECRET + "!")
    old = stripe.WebhookSignature.generate_signature_header(payload, SECRET, int(time.time()) - 400)
    for refused in [other, old]:
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(payload, refused, SECRET)
        status, answer = house.post(bought, refused)
        assert (status, answer["error"]["code"]) == (400, "invalid_signature")


def test_a_subscription_opens_and_closes(house):
    assert house.chat()[0] == 402
    now = int(time.time())
    subscription = {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_member",
        "status": "active",
        "items": {"object": "list", "data": [{"current_period_start": now, "current_period_end": now + 86400}]},
    }
    assert house.post(event(1, "customer.subscription.created", subscription))[1]["status"] == "applied"
    assert house.chat()[0] == 200
    ended = dict(subscription, status="canceled", ended_at=now)
    assert house.post(event(2, "customer.subscription.deleted", ended))[1]["status"] == "applied"
    status, answer = house.chat()
    assert (status, answer["error"]["code"]) == (402, "subscription_canceled")


def test_a_thousand_copies_and_a_kill_credit_once(house):
    bought = top_up(1)
    answered = threading.Semaphore(0)

    def send(_):
        try:
            status, answer = house.post(bought)
        except (OSError, http.client.HTTPException, ValueError):
            # The gateway was killed with this copy on its way; Stripe would send it again.
            return None
        answered.release()
        assert status == 200, answer
        return answer["status"]

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        copies = [pool.submit(send, number) for number in range(COPIES)]
        for _ in range(COPIES // 10):
            answered.acquire()
        house.kill()
        before = [copy.result() for copy in copies]
    house.start()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        after = list(pool.map(send, range(COPIES)))

    applied = [status for status in before + after if status == "applied"]
    # Its answer, too, may have been lost in the kill.
    assert len(applied) <= 1
    assert set(after) == {"duplicate"}
    assert before.count("duplicate") >= COPIES // 10 - 1
    assert house.administer("/accounts/buyer/credit")["balance"] == "25.00"
    assert len(house.administer("/ledger?account=buyer")["data"]) == 1
    assert len(house.administer("/webhooks")["data"]) == 1
