"""OpenAI's Python SDK: answers it parses, and refusals a person and a program understand."""

import json

import openai
import pytest

OPEN = "sdk-suite-key-of-an-open-account"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
HELLO = [{"role": "user", "content": "Say hello in 12 words"}]


@pytest.fixture
def client(base_url, attempts):
    def make(key=OPEN, **options):
        transport = openai.DefaultHttpxClient(event_hooks=attempts.hooks())
        return openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, http_client=transport, **options)

    return make


def chat(client, model="chat"):
    return client.chat.completions.create(model=model, messages=HELLO)


def test_chat(client, attempts):
    answer = chat(client())
    assert len(answer.choices[0].message.content.split()) == 12
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert attempts.count == 1


def test_output_limit(client):
    answer = client().chat.completions.create(model="chat", messages=HELLO, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_stream_without_usage(client):
    chunks = list(client().chat.completions.create(model="chat", messages=HELLO, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert len(text.split()) == 12
    assert chunks[-1].choices[0].finish_reason == "stop"
    # Nobody asked for usage: neither a member on the chunks nor an extra chunk without choices.
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


def test_stream_with_usage(client):
    options = {"include_usage": True}
    chunks = list(client().chat.completions.create(model="chat", messages=HELLO, stream=True, stream_options=options))
    *before, last = chunks
    assert last.choices == []
    assert last.usage.completion_tokens == sum(1 for c in before if c.choices[0].delta.content)
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in before)


@pytest.mark.refusal
def test_stream_with_comments_in_its_silences(client):
    calls = client().chat.completions
    with calls.with_streaming_response.create(model="slow", messages=HELLO, stream=True) as answer:
        assert b": keep-alive\n\n" in b"".join(answer.iter_bytes())
    chunks = list(calls.create(model="slow", messages=HELLO, stream=True))
    assert len("".join(chunk.choices[0].delta.content or "" for chunk in chunks).split()) == 12


def test_stream_helper(client):
    with client().chat.completions.stream(model="chat", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert len(answer.choices[0].message.content.split()) == 12


def test_tool_call(client):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    messages = [{"role": "user", "content": "What is the weather like?"}]
    answer = client().chat.completions.create(model="chat", messages=messages, tools=tools)
    assert answer.choices[0].finish_reason == "tool_calls"
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str) and 1 <= arguments["days"] <= 7

    messages += [
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    answer = client().chat.completions.create(model="chat", messages=messages, tools=tools)
    assert answer.choices[0].message.content


def test_tool_call_stream(client):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}]
    with client().chat.completions.stream(
        model="chat", messages=HELLO, tools=tools, tool_choice="required"
    ) as stream:
        for _ in stream:
            pass
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"city", "days"}


def test_response(client):
    answer = client().responses.create(model="chat", input="Say hello in 12 words")
    assert len(answer.output_text.split()) == 12
    assert answer.status == "completed"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_response_stream(client):
    with client().responses.stream(
        model="chat", input="Say hello in 12 words", reasoning={"effort": "low", "summary": "auto"}
    ) as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {"response.created", "response.output_text.delta", "response.completed"} <= {e.type for e in events}
    assert len(answer.output_text.split()) == 12
    assert answer.output[0].type == "reasoning"
    assert answer.usage.output_tokens_details.reasoning_tokens > 0


def test_response_tool_call(client):
    tools = [{"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}]
    answer = client().responses.create(model="chat", input="The weather, please", tools=tools)
    assert answer.output[0].type == "function_call"
    assert set(json.loads(answer.output[0].arguments)) == {"city", "days"}


def test_completion(client):
    answer = client().completions.create(model="chat", prompt="Go on for 5 words", max_tokens=100)
    assert len(answer.choices[0].text.split()) == 5


def test_embeddings(client):
    # The SDK asks for base64 unless it is told otherwise, so both ways are taken.
    coded = client().embeddings.create(model="embedding", input=["one", "two"], dimensions=16)
    plain = client().embeddings.create(model="embedding", input="one", dimensions=16, encoding_format="float")
    assert [len(item.embedding) for item in coded.data] == [16, 16]
    assert coded.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert coded.data[0].embedding != coded.data[1].embedding
    assert coded.usage.prompt_tokens == 2


@pytest.mark.refusal
def test_models(client):
    assert {model.id for model in client("sdk-suite-key-for-chat-alone").models.list()} == {"chat"}
    assert client().models.retrieve("chat").id == "chat"


def refused(error, status, code, *says):
    """What every refusal has in common: its status, its code, and words that tell a person what to do."""
    assert error.status_code == status
    assert error.code == code
    for words in says:
        assert words in str(error)
        assert words in error.body["message"]
    assert error.request_id == error.response.headers["x-request-id"]


PAY = "https://billing.example.com/pay?account="
PORTAL = "https://billing.example.com/portal?account="

# key, model, exception, status, code, words that say what to do
FINAL = {
    "unknown_key": ("nobody-has-this-key", "chat", openai.AuthenticationError, 401, "invalid_api_key", "valid key"),
    "no_subscription": (
        "sdk-suite-key-without-subscription", "chat", openai.APIStatusError, 402, "subscription_required", f"{PAY}newcomer",
    ),
    "canceled": (
        "sdk-suite-key-of-a-canceled-account", "chat", openai.APIStatusError, 402, "subscription_canceled", f"{PAY}leaver",
    ),
    "past_due": (
        "sdk-suite-key-of-a-past-due-account", "chat", openai.APIStatusError, 402, "subscription_past_due", f"{PORTAL}debtor",
    ),
    "other_plan": (OPEN, "large", openai.APIStatusError, 402, "plan_upgrade_required", f"{PAY}open"),
    "not_for_this_key": (
        "sdk-suite-key-for-chat-alone", "embedding", openai.PermissionDeniedError, 403, "permission_denied", "embedding",
    ),
    "unknown_model": (OPEN, "nothing", openai.NotFoundError, 404, "model_not_found", "nothing"),
    "providers_bill": (
        OPEN, "unpaid-openai", openai.InternalServerError, 503, "upstream_unavailable", "Tell who runs this gateway",
    ),
}


@pytest.mark.refusal
@pytest.mark.parametrize("case", FINAL)
def test_refused_once(client, attempts, case):
    key, model, exception, status, code, says = FINAL[case]
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client(key), model)
    assert type(caught.value) is exception
    refused(caught.value, status, code, says)
    assert attempts.count == 1


@pytest.mark.refusal
def test_refused_embedding_and_response(client, attempts):
    with pytest.raises(openai.APIStatusError) as caught:
        client("sdk-suite-key-without-subscription").embeddings.create(model="embedding", input="x")
    refused(caught.value, 402, "subscription_required", f"{PAY}newcomer")
    with pytest.raises(openai.APIStatusError) as caught:
        client("sdk-suite-key-without-subscription").responses.create(model="chat", input="x", stream=True)
    refused(caught.value, 402, "subscription_required", f"{PAY}newcomer")
    assert attempts.count == 2


@pytest.mark.refusal
def test_quota_used(client, attempts):
    client = client("sdk-suite-key-of-spender-openai")
    chat(client)
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client)
    refused(caught.value, 402, "quota_exhausted", "resets at", f"{PAY}spender-openai")
    limit = caught.value.response.json()["billing"]["limit"]
    assert (limit["unit"], limit["per"], limit["limit"], limit["used"]) == ("requests", "month", 1, 1)
    assert attempts.count == 2


@pytest.mark.refusal
def test_rate_limited(client, attempts):
    client = client("sdk-suite-key-of-hasty-openai", max_retries=0)
    chat(client)
    with pytest.raises(openai.RateLimitError) as caught:
        chat(client)
    refused(caught.value, 429, "rate_limit_exceeded", "Try again in")
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
    assert "x-should-retry" not in caught.value.response.headers
    assert attempts.count == 2


@pytest.mark.refusal
def test_a_rate_limit_that_clears_soon_is_waited_for(client, attempts):
    client = client("sdk-suite-key-of-patient-openai")
    for calls in range(1, 61):
        assert chat(client).choices
        if attempts.count > calls:
            return
    pytest.fail("60 calls in a row were never held back by 12 a minute")


@pytest.mark.refusal
def test_overload_is_tried_three_times(client, attempts):
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client(), "overloaded-openai")
    refused(caught.value, 503, "upstream_overloaded", "overloaded")
    assert attempts.count == 3
