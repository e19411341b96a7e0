// Reads bodies, each behind four bytes of length, and says in a line what Node's `JSON.parse` makes of it: `-` is no
// JSON, `x` is JSON and no object, and an object is told by the members that count.

const END_OF_BATCH = 0xffffffff;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function count(value) {
  const whole = typeof value === 'number' && (Number.isInteger(value) || value === Infinity) && value >= 0;
  if (!whole || Object.is(value, -0)) return null;
  return value === Infinity ? '18446744073709551616' : BigInt(value).toString();
}

function judge(body) {
  let document;
  try {
    document = JSON.parse(utf8.decode(body));
  } catch {
    return '-';
  }
  if (document === null || typeof document !== 'object' || Array.isArray(document)) return 'x';
  const own = (name) => (Object.hasOwn(document, name) ? document[name] : undefined);
  const [model, stream, limit] = [own('model'), own('stream'), own('max_tokens')];
  return JSON.stringify({
    model: typeof model === 'string' && model.isWellFormed() ? model : null,
    stream: stream === true,
    stream_is_right: stream === true || stream === false || stream === null || stream === undefined,
    max_tokens: count(limit),
    // A number is a number here, however it was written.
    max_tokens_is_right: limit === undefined || limit === null,
    max_completion_tokens: count(own('max_completion_tokens')),
    rounds: true,
  });
}

let rest = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
  const lines = [];
  while (rest.length >= 4) {
    const length = rest.readUInt32BE(0);
    if (length === END_OF_BATCH) {
      rest = rest.subarray(4);
      continue;
    }
    const end = 4 + length;
    if (rest.length < end) break;
    lines.push(judge(rest.subarray(4, end)));
    rest = rest.subarray(end);
  }
  if (lines.length) process.stdout.write(lines.join('\n') + '\n');
});
