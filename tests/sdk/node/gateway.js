// The gateway under test, a provider that answers with errors, and a count of HTTP attempts.
//
// With SIMULATOR_URL the answers are asked of that simulated provider directly, and the refusals, which only a
// gateway makes, are skipped.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SUITE = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const ROOT = path.dirname(path.dirname(SUITE));
// How long the binary may take to listen, and to end. Only a broken one needs it.
const START_MS = 60_000;
const STOP_MS = 30_000;

export const SIMULATOR_URL = process.env.SIMULATOR_URL?.replace(/\/$/, '');

/** Options for a test of a refusal. */
export const refusal = {
  skip: SIMULATOR_URL ? 'SIMULATOR_URL is set: a simulated provider refuses nobody' : false,
};

const OPENAI_ERRORS = {
  unpaid: [429, {
    error: {
      message: 'You exceeded your current quota, please check your plan and billing details.',
      type: 'insufficient_quota', param: null, code: 'insufficient_quota',
    },
  }],
  overloaded: [429, {
    error: { message: 'Rate limit reached for requests', type: 'requests', param: null, code: 'rate_limit_exceeded' },
  }],
};
const ANTHROPIC_ERRORS = {
  unpaid: [400, {
    type: 'error',
    error: {
      type: 'invalid_request_error',
      message: 'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    },
  }],
  overloaded: [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }],
};

/** A provider that answers every call with the error its model is named after. */
async function scriptedProvider() {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { model } = JSON.parse(Buffer.concat(chunks).toString());
    const errors = request.url.includes('messages') ? ANTHROPIC_ERRORS : OPENAI_ERRORS;
    const [status, body] = errors[model];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');
  return process.env.FAREGATE_BIN ?? path.join(target, 'release', 'faregate');
}

/** Starts a gateway; `url` is where it is, `stop` ends it the way an operator would and fails if it did not end well. */
export async function startGateway() {
  if (SIMULATOR_URL) return { url: SIMULATOR_URL, stop: async () => {} };
  const provider = await scriptedProvider();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary(), ['serve', '--config', path.join(SUITE, 'faregate.yaml')], {
    env: {
      ...process.env,
      FAREGATE_TEST_PORT: String(port),
      FAREGATE_TEST_PROVIDER_PORT: String(provider.address().port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const ended = new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(signal ?? code));
    child.on('error', (error) => resolve(String(error)));
  });
  let end;
  ended.then((how) => { end = how; });

  const deadline = Date.now() + START_MS;
  for (;;) {
    if (end !== undefined) throw new Error(`faregate ended with ${end}:\n${output}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`faregate is not ready after ${START_MS} ms:\n${output}`);
    }
    const ready = await fetch(`${url}/readyz`).then((answer) => answer.status === 200, () => false);
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const stop = async () => {
    child.kill('SIGTERM');
    const giveUp = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const how = await ended;
    clearTimeout(giveUp);
    provider.close();
    provider.closeAllConnections();
    if (how !== 0) throw new Error(`faregate ended with ${how} after SIGTERM:\n${output}`);
  };
  return { url, stop };
}

/** Counts the HTTP requests of a client; give `fetch` to it. */
export function countAttempts() {
  const attempts = {
    count: 0,
    fetch: (...request) => {
      attempts.count += 1;
      return fetch(...request);
    },
  };
  return attempts;
}
