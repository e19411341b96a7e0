// OpenAI's Node SDK: answers it parses, and refusals a person and a program understand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import OpenAI from 'openai';

import { countAttempts, refusal, startGateway } from './gateway.js';

const OPEN = 'sdk-suite-key-of-an-open-account';
const HELLO = [{ role: 'user', content: 'Say hello in 12 words' }];
const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 7 } },
  required: ['city', 'days'],
  additionalProperties: false,
};

let gateway;
before(async () => { gateway = await startGateway(); });
after(() => gateway?.stop());

function connect(key = OPEN, options = {}) {
  const attempts = countAttempts();
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, fetch: attempts.fetch, ...options });
  return { client, attempts };
}

const words = (text) => text.trim().split(/\s+/).length;
const chat = (client, model = 'chat', more = {}) =>
  client.chat.completions.create({ model, messages: HELLO, ...more });

test('chat', async () => {
  const { client, attempts } = connect();
  const answer = await chat(client);
  assert.equal(words(answer.choices[0].message.content), 12);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.equal(attempts.count, 1);
});

test('stream without usage', async () => {
  let text = '';
  for await (const chunk of await chat(connect().client, 'chat', { stream: true })) {
    assert.equal(chunk.choices.length, 1);
    assert.ok(chunk.usage == null);
    text += chunk.choices[0].delta.content ?? '';
  }
  assert.equal(words(text), 12);
});

test('stream with usage', async () => {
  const chunks = [];
  const stream = await chat(connect().client, 'chat', { stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) chunks.push(chunk);
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  assert.equal(last.usage.completion_tokens, chunks.filter((chunk) => chunk.choices[0].delta.content).length);
  assert.ok(chunks.every((chunk) => chunk.usage === null));
});

test('stream helper', async () => {
  const answer = await connect().client.chat.completions.stream({ model: 'chat', messages: HELLO }).finalChatCompletion();
  assert.equal(words(answer.choices[0].message.content), 12);
});

test('tool call', async () => {
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER } }];
  const { client } = connect();
  const messages = [{ role: 'user', content: 'What is the weather like?' }];
  const answer = await client.chat.completions.create({ model: 'chat', messages, tools });
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  const call = answer.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, 'get_weather');
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ['city', 'days']);

  messages.push(answer.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'sunny' });
  const next = await client.chat.completions.create({ model: 'chat', messages, tools });
  assert.ok(next.choices[0].message.content);
});

test('tool call in a stream', async () => {
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER } }];
  const stream = connect().client.chat.completions.stream({
    model: 'chat', messages: HELLO, tools, tool_choice: 'required',
  });
  const answer = await stream.finalChatCompletion();
  const [call] = answer.choices[0].message.tool_calls;
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ['city', 'days']);
});

test('response', async () => {
  const answer = await connect().client.responses.create({ model: 'chat', input: 'Say hello in 12 words' });
  assert.equal(words(answer.output_text), 12);
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

test('response stream', async () => {
  const stream = connect().client.responses.stream({ model: 'chat', input: 'Say hello in 12 words' });
  const kinds = new Set();
  for await (const event of stream) kinds.add(event.type);
  const answer = await stream.finalResponse();
  for (const kind of ['response.created', 'response.output_text.delta', 'response.completed']) assert.ok(kinds.has(kind));
  assert.equal(words(answer.output_text), 12);
});

test('embeddings', async () => {
  // The SDK asks for base64 unless it is told otherwise, so both ways are taken.
  const { client } = connect();
  const coded = await client.embeddings.create({ model: 'embedding', input: ['one', 'two'], dimensions: 16 });
  const plain = await client.embeddings.create({
    model: 'embedding', input: 'one', dimensions: 16, encoding_format: 'float',
  });
  assert.deepEqual(coded.data.map((item) => item.embedding.length), [16, 16]);
  coded.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[0].embedding[i]) < 1e-6));
  assert.equal(coded.usage.prompt_tokens, 2);
});

/** What every refusal has in common: its class, status and code, and words that tell a person what to do. */
async function refused(call, kind, status, code, ...says) {
  const error = await call.then(() => assert.fail('the call was served'), (error) => error);
  assert.equal(error.constructor, kind, String(error));
  assert.equal(error.status, status);
  assert.equal(error.code, code);
  for (const said of says) assert.ok(error.message.includes(said), `${error.message} does not say ${said}`);
  assert.equal(error.requestID, error.headers.get('x-request-id'));
  return error;
}

const PAY = 'https://billing.example.com/pay?account=';
const PORTAL = 'https://billing.example.com/portal?account=';

// key, model, exception, status, code, words that say what to do
const FINAL = {
  'an unknown key': ['nobody-has-this-key', 'chat', OpenAI.AuthenticationError, 401, 'invalid_api_key', 'valid key'],
  'no subscription': ['sdk-suite-key-without-subscription', 'chat', OpenAI.APIError, 402, 'subscription_required', `${PAY}newcomer`],
  'a canceled subscription': ['sdk-suite-key-of-a-canceled-account', 'chat', OpenAI.APIError, 402, 'subscription_canceled', `${PAY}leaver`],
  'a payment overdue': ['sdk-suite-key-of-a-past-due-account', 'chat', OpenAI.APIError, 402, 'subscription_past_due', `${PORTAL}debtor`],
  'a model of another plan': [OPEN, 'large', OpenAI.APIError, 402, 'plan_upgrade_required', `${PAY}open`],
  'a model not for this key': ['sdk-suite-key-for-chat-alone', 'embedding', OpenAI.PermissionDeniedError, 403, 'permission_denied', 'embedding'],
  'an unknown model': [OPEN, 'nothing', OpenAI.NotFoundError, 404, 'model_not_found', 'nothing'],
  "the provider's own bill": [OPEN, 'unpaid-openai', OpenAI.InternalServerError, 503, 'upstream_unavailable', 'Tell who runs this gateway'],
};

for (const [name, [key, model, kind, status, code, says]] of Object.entries(FINAL)) {
  test(`refused once: ${name}`, refusal, async () => {
    const { client, attempts } = connect(key);
    await refused(chat(client, model), kind, status, code, says);
    assert.equal(attempts.count, 1);
  });
}

test('refused once: a stream', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-without-subscription');
  await refused(chat(client, 'chat', { stream: true }), OpenAI.APIError, 402, 'subscription_required', `${PAY}newcomer`);
  assert.equal(attempts.count, 1);
});

test('refused once: a used quota', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-spender-openai');
  await chat(client);
  await refused(chat(client), OpenAI.APIError, 402, 'quota_exhausted', 'resets at', `${PAY}spender-openai`);
  assert.equal(attempts.count, 2);
});

test('a rate limit', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-hasty-openai', { maxRetries: 0 });
  await chat(client);
  const error = await refused(chat(client), OpenAI.RateLimitError, 429, 'rate_limit_exceeded', 'Try again in');
  const wait = Number(error.headers.get('retry-after'));
  assert.ok(wait > 0 && wait <= 60);
  assert.equal(attempts.count, 2);
});

test('a rate limit that clears soon is waited for', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-patient-openai');
  for (let calls = 1; calls <= 60; calls += 1) {
    assert.ok((await chat(client)).choices);
    if (attempts.count > calls) return;
  }
  assert.fail('60 calls in a row were never held back by 12 a minute');
});

test('overload is tried three times', refusal, async () => {
  const { client, attempts } = connect();
  await refused(chat(client, 'overloaded-openai'), OpenAI.InternalServerError, 503, 'upstream_overloaded', 'overloaded');
  assert.equal(attempts.count, 3);
});
