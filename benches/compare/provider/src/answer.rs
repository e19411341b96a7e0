//! The bytes of the answers. Lengths and fields are those of a short answer of a chat model.

use std::{io::Write, sync::LazyLock};

use rustix::time::{ClockId, clock_gettime};

const BODY: &str = concat!(
    r#"{"id":"chatcmpl-comparison-0000000001","object":"chat.completion","created":1795219200,"#,
    r#""model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":""#,
    "Queues in front of a slow service do not make it faster: they only decide who waits, and for how long. ",
    "Keep the queue short, refuse early what cannot be served in time, and tell the caller when to come back. ",
    "Then watch three numbers: how much arrives, how long it stays, and how much of it is refused. ",
    "If the second grows while the first does not, something behind the queue has become slower.",
    r#"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":96,"completion_tokens":88,"total_tokens":184,"#,
    r#""prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"#,
    r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"#,
    r#""service_tier":"default","system_fingerprint":"fp_comparison"}"#,
);

/// A whole answer, head and body, to be sent in one write.
pub static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         date: Sat, 21 Nov 2026 00:00:00 GMT\r\nopenai-processing-ms: 240\r\n\
         x-request-id: req_comparison\r\n\r\n",
        BODY.len()
    );
    [head.as_bytes(), BODY.as_bytes()].concat()
});

/// The head of a stream.
pub const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\
    date: Sat, 21 Nov 2026 00:00:00 GMT\r\nx-request-id: req_comparison\r\n\r\n";

const BEFORE: &str = concat!(
    r#"data: {"id":"chatcmpl-comparison-0000000001","object":"chat.completion.chunk","created":1795219200,"#,
    r#""model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_comparison","#,
    r#""choices":[{"index":0,"delta":{"content":" sent_us="#,
);
const AFTER: &str = "\"},\"finish_reason\":null}]}\n\n";
/// Digits of an instant, so that every chunk has the same length.
const DIGITS: usize = 16;

const FINISH: &str = concat!(
    r#"data: {"id":"chatcmpl-comparison-0000000001","object":"chat.completion.chunk","created":1795219200,"#,
    r#""model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_comparison","#,
    r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
);

/// Writes a chunk of text that says when it was made, in microseconds of the monotonic clock.
pub fn chunk(out: &mut Vec<u8>) {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    frame(
        out,
        BEFORE.len() + DIGITS + AFTER.len(),
        format_args!("{BEFORE}{micros:0DIGITS$}{AFTER}"),
    );
}

/// Writes the end of a stream: why it ended, what it used, and that it is over.
pub fn end(out: &mut Vec<u8>, chunks: u64) {
    frame(out, FINISH.len(), format_args!("{FINISH}"));
    let usage = format!(
        "data: {{\"id\":\"chatcmpl-comparison-0000000001\",\"object\":\"chat.completion.chunk\",\
         \"created\":1795219200,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_comparison\",\
         \"choices\":[],\"usage\":{{\"prompt_tokens\":96,\"completion_tokens\":{chunks},\"total_tokens\":{},\
         \"prompt_tokens_details\":{{\"cached_tokens\":0}},\
         \"completion_tokens_details\":{{\"reasoning_tokens\":0}}}}}}\n\n",
        96 + chunks
    );
    frame(out, usage.len(), format_args!("{usage}"));
    let done = "data: [DONE]\n\n";
    frame(out, done.len(), format_args!("{done}"));
    out.extend_from_slice(b"0\r\n\r\n");
}

/// One chunk of the transfer coding (RFC 9112 §7.1).
fn frame(out: &mut Vec<u8>, length: usize, content: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{length:x}\r\n{content}\r\n");
}
