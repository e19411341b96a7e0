// Anthropic's Node SDK: answers it parses, and refusals a person and a program understand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Anthropic, {
  AuthenticationError,
  NotFoundError,
  PaymentRequiredError,
  PermissionDeniedError,
  RateLimitError,
  ServiceUnavailableError,
} from '@anthropic-ai/sdk';

import { countAttempts, refusal, startGateway } from './gateway.js';

const OPEN = 'sdk-suite-key-of-an-open-account';
const HELLO = [{ role: 'user', content: 'Say hello in 12 words' }];
const WEATHER = {
  name: 'get_weather',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 7 } },
    required: ['city', 'days'],
  },
};

let gateway;
before(async () => { gateway = await startGateway(); });
after(() => gateway?.stop());

function connect(key = OPEN, options = {}) {
  const attempts = countAttempts();
  const client = new Anthropic({ baseURL: gateway.url, apiKey: key, fetch: attempts.fetch, ...options });
  return { client, attempts };
}

const words = (text) => text.trim().split(/\s+/).length;
const message = (client, model = 'chat', more = {}) =>
  client.messages.create({ model, max_tokens: 200, messages: HELLO, ...more });

test('message', async () => {
  const { client, attempts } = connect();
  const answer = await message(client);
  assert.equal(words(answer.content[0].text), 12);
  assert.equal(answer.stop_reason, 'end_turn');
  assert.ok(answer.usage.input_tokens > 0);
  assert.equal(attempts.count, 1);
});

test('stream', async () => {
  const stream = connect().client.messages.stream({ model: 'chat', max_tokens: 200, messages: HELLO });
  let pieces = 0;
  stream.on('text', () => { pieces += 1; });
  const answer = await stream.finalMessage();
  assert.equal(words(answer.content[0].text), 12);
  assert.equal(answer.usage.output_tokens, pieces);
});

test('thinking', async () => {
  const answer = await message(connect().client, 'chat', {
    max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 },
  });
  assert.deepEqual(answer.content.map((block) => block.type), ['thinking', 'text']);
});

test('tool call', async () => {
  const { client } = connect();
  const messages = [{ role: 'user', content: 'What is the weather like?' }];
  const answer = await client.messages.create({ model: 'chat', max_tokens: 200, messages, tools: [WEATHER] });
  assert.equal(answer.stop_reason, 'tool_use');
  const [call] = answer.content;
  assert.equal(call.name, 'get_weather');
  assert.deepEqual(Object.keys(call.input).sort(), ['city', 'days']);

  messages.push(
    { role: 'assistant', content: answer.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] },
  );
  const next = await client.messages.create({ model: 'chat', max_tokens: 200, messages, tools: [WEATHER] });
  assert.equal(next.content[0].type, 'text');
});

test('tool call in a stream', async () => {
  const stream = connect().client.messages.stream({
    model: 'chat', max_tokens: 200, messages: HELLO, tools: [WEATHER],
    tool_choice: { type: 'tool', name: 'get_weather' },
  });
  const answer = await stream.finalMessage();
  assert.deepEqual(Object.keys(answer.content[0].input).sort(), ['city', 'days']);
});

test('count tokens', async () => {
  const { client } = connect();
  const counted = await client.messages.countTokens({ model: 'chat', messages: HELLO });
  assert.equal(counted.input_tokens, (await message(client)).usage.input_tokens);
});

/** What every refusal has in common: its class, status, type and code, and words that tell a person what to do. */
async function refused(call, kind, status, type, code, ...says) {
  const error = await call.then(() => assert.fail('the call was served'), (error) => error);
  assert.equal(error.constructor, kind, String(error));
  assert.equal(error.status, status);
  assert.equal(error.type, type);
  assert.equal(error.errorCode, code);
  for (const said of says) assert.ok(error.message.includes(said), `${error.message} does not say ${said}`);
  // The SDK shows the sentence, not the JSON around it.
  assert.ok(!error.message.includes('{'), error.message);
  assert.equal(error.requestID, error.headers.get('x-request-id'));
  return error;
}

const PAY = 'https://billing.example.com/pay?account=';
const PORTAL = 'https://billing.example.com/portal?account=';

// key, model, exception, status, type, code, words that say what to do
const FINAL = {
  'an unknown key': ['nobody-has-this-key', 'chat', AuthenticationError, 401, 'authentication_error', 'invalid_api_key', 'valid key'],
  'no subscription': ['sdk-suite-key-without-subscription', 'chat', PaymentRequiredError, 402, 'billing_error', 'subscription_required', `${PAY}newcomer`],
  'a canceled subscription': ['sdk-suite-key-of-a-canceled-account', 'chat', PaymentRequiredError, 402, 'billing_error', 'subscription_canceled', `${PAY}leaver`],
  'a payment overdue': ['sdk-suite-key-of-a-past-due-account', 'chat', PaymentRequiredError, 402, 'billing_error', 'subscription_past_due', `${PORTAL}debtor`],
  'a model of another plan': [OPEN, 'large', PaymentRequiredError, 402, 'billing_error', 'plan_upgrade_required', `${PAY}open`],
  'a model not for this key': ['sdk-suite-key-for-chat-alone', 'large', PermissionDeniedError, 403, 'permission_error', 'permission_denied', 'large'],
  'an unknown model': [OPEN, 'nothing', NotFoundError, 404, 'not_found_error', 'model_not_found', 'nothing'],
  "the provider's own bill": [OPEN, 'unpaid-anthropic', ServiceUnavailableError, 503, 'api_error', 'upstream_unavailable', 'Tell who runs this gateway'],
};

for (const [name, [key, model, kind, status, type, code, says]] of Object.entries(FINAL)) {
  test(`refused once: ${name}`, refusal, async () => {
    const { client, attempts } = connect(key);
    await refused(message(client, model), kind, status, type, code, says);
    assert.equal(attempts.count, 1);
  });
}

test('refused once: a stream', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-without-subscription');
  const call = message(client, 'chat', { stream: true });
  await refused(call, PaymentRequiredError, 402, 'billing_error', 'subscription_required', `${PAY}newcomer`);
  assert.equal(attempts.count, 1);
});

test('refused once: a used quota', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-spender-anthropic');
  await message(client);
  await refused(message(client), PaymentRequiredError, 402, 'billing_error', 'quota_exhausted', 'resets at', `${PAY}spender-anthropic`);
  assert.equal(attempts.count, 2);
});

test('a rate limit', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-hasty-anthropic', { maxRetries: 0 });
  await message(client);
  const error = await refused(message(client), RateLimitError, 429, 'rate_limit_error', 'rate_limit_exceeded', 'Try again in');
  const wait = Number(error.headers.get('retry-after'));
  assert.ok(wait > 0 && wait <= 60);
  assert.equal(attempts.count, 2);
});

test('a rate limit that clears soon is waited for', refusal, async () => {
  const { client, attempts } = connect('sdk-suite-key-of-patient-anthropic');
  for (let calls = 1; calls <= 60; calls += 1) {
    assert.ok((await message(client)).content);
    if (attempts.count > calls) return;
  }
  assert.fail('60 calls in a row were never held back by 12 a minute');
});

test('overload is tried three times', refusal, async () => {
  const { client, attempts } = connect();
  await refused(message(client, 'overloaded-anthropic'), ServiceUnavailableError, 503, 'overloaded_error', 'upstream_overloaded', 'overloaded');
  assert.equal(attempts.count, 3);
});
