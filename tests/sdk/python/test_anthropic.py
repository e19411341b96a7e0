"""Anthropic's Python SDK: answers it parses, and refusals a person and a program understand."""

import anthropic
import pytest

OPEN = "sdk-suite-key-of-an-open-account"
WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
        "required": ["city", "days"],
    },
}
HELLO = [{"role": "user", "content": "Say hello in 12 words"}]


@pytest.fixture
def client(base_url, attempts):
    def make(key=OPEN, **options):
        transport = anthropic.DefaultHttpxClient(event_hooks=attempts.hooks())
        return anthropic.Anthropic(base_url=base_url, api_key=key, http_client=transport, **options)

    return make


def message(client, model="chat", **more):
    return client.messages.create(model=model, max_tokens=200, messages=HELLO, **more)


def test_message(client, attempts):
    answer = message(client())
    assert len(answer.content[0].text.split()) == 12
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    assert attempts.count == 1


def test_output_limit(client):
    answer = client().messages.create(model="chat", max_tokens=3, messages=HELLO)
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 3


def test_stream(client):
    with client().messages.stream(model="chat", max_tokens=200, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    assert len("".join(pieces).split()) == 12
    assert answer.usage.output_tokens == len(pieces)
    assert answer.stop_reason == "end_turn"


def test_thinking_and_cache(client):
    system = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]
    answer = client().messages.create(
        model="chat",
        max_tokens=2000,
        messages=HELLO,
        system=system,
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.usage.cache_read_input_tokens > 0
    assert 0 < answer.usage.output_tokens_details.thinking_tokens < answer.usage.output_tokens


def test_tool_call(client):
    messages = [{"role": "user", "content": "What is the weather like?"}]
    answer = client().messages.create(model="chat", max_tokens=200, messages=messages, tools=[WEATHER])
    assert answer.stop_reason == "tool_use"
    call = answer.content[0]
    assert call.name == "get_weather"
    assert isinstance(call.input["city"], str) and 1 <= call.input["days"] <= 7

    messages += [
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    answer = client().messages.create(model="chat", max_tokens=200, messages=messages, tools=[WEATHER])
    assert answer.content[0].type == "text"


@pytest.mark.refusal
def test_stream_with_comments_in_its_silences(client):
    asked = {"model": "slow", "max_tokens": 200, "messages": HELLO}
    with client().messages.with_streaming_response.create(stream=True, **asked) as answer:
        assert b": keep-alive\n\n" in b"".join(answer.iter_bytes())
    with client().messages.stream(**asked) as stream:
        assert len("".join(stream.text_stream).split()) == 12


def test_tool_call_stream(client):
    choice = {"type": "tool", "name": "get_weather"}
    with client().messages.stream(
        model="chat", max_tokens=200, messages=HELLO, tools=[WEATHER], tool_choice=choice
    ) as stream:
        answer = stream.get_final_message()
    assert set(answer.content[0].input) == {"city", "days"}


def test_count_tokens(client):
    counted = client().messages.count_tokens(model="chat", messages=HELLO)
    assert counted.input_tokens == message(client()).usage.input_tokens


@pytest.mark.refusal
def test_models(client):
    assert {model.id for model in client("sdk-suite-key-for-chat-alone").models.list()} == {"chat"}


def refused(error, status, kind, code, *says):
    """What every refusal has in common: its status, its type and code, and words that tell a person what to do."""
    assert error.status_code == status
    assert error.type == kind
    assert error.body["error"]["details"]["error_code"] == code
    for words in says:
        assert words in str(error)
        assert words in error.body["error"]["message"]
    assert error.request_id == error.response.headers["x-request-id"]


PAY = "https://billing.example.com/pay?account="
PORTAL = "https://billing.example.com/portal?account="

# key, model, exception, status, type, code, words that say what to do
FINAL = {
    "unknown_key": (
        "nobody-has-this-key", "chat", anthropic.AuthenticationError,
        401, "authentication_error", "invalid_api_key", "valid key",
    ),
    "no_subscription": (
        "sdk-suite-key-without-subscription", "chat", anthropic.PaymentRequiredError,
        402, "billing_error", "subscription_required", f"{PAY}newcomer",
    ),
    "canceled": (
        "sdk-suite-key-of-a-canceled-account", "chat", anthropic.PaymentRequiredError,
        402, "billing_error", "subscription_canceled", f"{PAY}leaver",
    ),
    "past_due": (
        "sdk-suite-key-of-a-past-due-account", "chat", anthropic.PaymentRequiredError,
        402, "billing_error", "subscription_past_due", f"{PORTAL}debtor",
    ),
    "other_plan": (
        OPEN, "large", anthropic.PaymentRequiredError,
        402, "billing_error", "plan_upgrade_required", f"{PAY}open",
    ),
    "not_for_this_key": (
        "sdk-suite-key-for-chat-alone", "large", anthropic.PermissionDeniedError,
        403, "permission_error", "permission_denied", "large",
    ),
    "unknown_model": (
        OPEN, "nothing", anthropic.NotFoundError,
        404, "not_found_error", "model_not_found", "nothing",
    ),
    "providers_bill": (
        OPEN, "unpaid-anthropic", anthropic.ServiceUnavailableError,
        503, "api_error", "upstream_unavailable", "Tell who runs this gateway",
    ),
}


@pytest.mark.refusal
@pytest.mark.parametrize("case", FINAL)
def test_refused_once(client, attempts, case):
    key, model, exception, status, kind, code, says = FINAL[case]
    with pytest.raises(anthropic.APIStatusError) as caught:
        message(client(key), model)
    assert type(caught.value) is exception
    refused(caught.value, status, kind, code, says)
    assert attempts.count == 1


@pytest.mark.refusal
def test_refused_stream(client, attempts):
    with pytest.raises(anthropic.PaymentRequiredError) as caught:
        message(client("sdk-suite-key-without-subscription"), stream=True)
    refused(caught.value, 402, "billing_error", "subscription_required", f"{PAY}newcomer")
    assert attempts.count == 1


@pytest.mark.refusal
def test_quota_used(client, attempts):
    client = client("sdk-suite-key-of-spender-anthropic")
    message(client)
    with pytest.raises(anthropic.PaymentRequiredError) as caught:
        message(client)
    refused(caught.value, 402, "billing_error", "quota_exhausted", "resets at", f"{PAY}spender-anthropic")
    assert caught.value.body["billing"]["limit"]["used"] == 1
    assert attempts.count == 2


@pytest.mark.refusal
def test_rate_limited(client, attempts):
    client = client("sdk-suite-key-of-hasty-anthropic", max_retries=0)
    message(client)
    with pytest.raises(anthropic.RateLimitError) as caught:
        message(client)
    refused(caught.value, 429, "rate_limit_error", "rate_limit_exceeded", "Try again in")
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
    assert attempts.count == 2


@pytest.mark.refusal
def test_a_rate_limit_that_clears_soon_is_waited_for(client, attempts):
    client = client("sdk-suite-key-of-patient-anthropic")
    for calls in range(1, 61):
        assert message(client).content
        if attempts.count > calls:
            return
    pytest.fail("60 calls in a row were never held back by 12 a minute")


@pytest.mark.refusal
def test_overload_is_tried_three_times(client, attempts):
    with pytest.raises(anthropic.APIStatusError) as caught:
        message(client(), "overloaded-anthropic")
    assert type(caught.value) is anthropic.ServiceUnavailableError
    refused(caught.value, 503, "overloaded_error", "upstream_overloaded", "overloaded")
    assert attempts.count == 3
