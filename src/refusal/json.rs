//! The bodies for programs. The order of members is fixed: some SDKs print the body as it is, so `error` and its
//! `message` come first.

use std::fmt;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{
    Code, Detail, Refusal,
    billing::{Billing, billing},
    buffer,
    links::{Address, ProblemUri},
    render::View,
    taxonomy,
};
use crate::{
    domain::{RequestId, Timestamp},
    providers::Dialect,
};

/// RFC 9457's members ride beside OpenAI's `error`.
#[derive(Serialize)]
struct OpenAi<'a> {
    error: OpenAiError<'a>,
    message: &'a str,
    r#type: ProblemUri<'a>,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: Instance,
    request_id: RequestId,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<Billing<'a>>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: &'static str,
}

#[derive(Serialize)]
struct OpenAiEvent<'a> {
    error: OpenAiError<'a>,
}

/// Anthropic's `type` is always `error`, so the problem's URI has a name of its own.
#[derive(Serialize)]
struct Anthropic<'a> {
    r#type: &'static str,
    error: AnthropicError<'a>,
    message: &'a str,
    request_id: RequestId,
    title: &'static str,
    status: u16,
    detail: &'a str,
    problem_type: ProblemUri<'a>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<Billing<'a>>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'static str,
    message: &'a str,
    details: AnthropicDetails,
}

#[derive(Serialize)]
struct AnthropicDetails {
    error_code: &'static str,
}

#[derive(Serialize)]
struct AnthropicEvent<'a> {
    r#type: &'static str,
    error: AnthropicError<'a>,
    request_id: RequestId,
}

/// Google's SDKs take a `message` or an integer `status` beside `error` for the text to print, so neither is there.
#[derive(Serialize)]
struct Gemini<'a> {
    error: GeminiError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
}

#[derive(Serialize)]
struct GeminiError<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    details: [ErrorInfo<'a>; 1],
}

/// `google.rpc.ErrorInfo`: a reason in upper case, and strings.
#[derive(Serialize)]
struct ErrorInfo<'a> {
    #[serde(rename = "@type")]
    r#type: &'static str,
    reason: Reason,
    domain: &'a str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    request_id: RequestId,
    problem_type: ProblemUri<'a>,
    retryable: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_url: Option<Address<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<Text<u64>>,
}

/// RFC 9457 §3.1, and our extension members.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: ProblemUri<'a>,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: Instance,
    code: &'static str,
    request_id: RequestId,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<Billing<'a>>,
}

/// RFC 9457 §3.1.5 as a URN (RFC 9562 §4).
struct Instance(RequestId);

/// A number where only strings go.
struct Text<T>(T);

/// A code in upper case.
struct Reason(Code);

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:uuid:{}", self.0)
    }
}

impl Serialize for Instance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.as_str().chars();
        letters
            .map(|letter| letter.to_ascii_uppercase())
            .try_for_each(|letter| fmt::Write::write_char(f, letter))
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The body in the caller's dialect.
pub(super) fn body(view: &View<'_>) -> Bytes {
    match view.scene.dialect {
        Dialect::OpenAi => encode(&OpenAi {
            error: openai_error(view),
            message: view.message(),
            r#type: view.problem_uri(),
            title: view.refusal.code.title(),
            status: view.verdict.status.as_u16(),
            detail: view.message(),
            instance: Instance(view.scene.request_id),
            request_id: view.scene.request_id,
            retryable: view.verdict.retryable,
            max_affordable_tokens: view.affordable,
            billing: billing(view),
        }),
        Dialect::Anthropic => encode(&Anthropic {
            r#type: "error",
            error: anthropic_error(view),
            message: view.message(),
            request_id: view.scene.request_id,
            title: view.refusal.code.title(),
            status: view.verdict.status.as_u16(),
            detail: view.message(),
            problem_type: view.problem_uri(),
            retryable: view.verdict.retryable,
            max_affordable_tokens: view.affordable,
            billing: billing(view),
        }),
        Dialect::Gemini => encode(&gemini(view)),
    }
}

/// The body as RFC 9457 has it.
pub(super) fn problem(view: &View<'_>) -> Bytes {
    encode(&Problem {
        r#type: view.problem_uri(),
        title: view.refusal.code.title(),
        status: view.verdict.status.as_u16(),
        detail: view.message(),
        instance: Instance(view.scene.request_id),
        code: view.refusal.code.as_str(),
        request_id: view.scene.request_id,
        retryable: view.verdict.retryable,
        max_affordable_tokens: view.affordable,
        billing: billing(view),
    })
}

/// One server-sent event in the caller's dialect.
pub(super) fn stream_event(view: &View<'_>) -> Bytes {
    buffer::document(|out| {
        match view.scene.dialect {
            Dialect::OpenAi => {
                out.extend_from_slice(b"data: ");
                let error = openai_error(view);
                append(out, &OpenAiEvent { error });
            }
            Dialect::Anthropic => {
                out.extend_from_slice(b"event: error\ndata: ");
                let event = AnthropicEvent {
                    r#type: "error",
                    error: anthropic_error(view),
                    request_id: view.scene.request_id,
                };
                append(out, &event);
            }
            Dialect::Gemini => {
                out.extend_from_slice(b"data: ");
                append(out, &gemini(view));
            }
        }
        out.extend_from_slice(b"\n\n");
    })
}

/// Writes any of our JSON documents.
pub(super) fn encode(value: &impl Serialize) -> Bytes {
    buffer::document(|out| append(out, value))
}

fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value)
        .expect("a buffer takes every byte, and member names are strings");
}

fn openai_error<'a>(view: &'a View<'_>) -> OpenAiError<'a> {
    OpenAiError {
        message: view.message(),
        r#type: taxonomy::openai(view.refusal, view.verdict.status),
        param: about_model(view.refusal).then_some("model"),
        code: view.refusal.code.as_str(),
    }
}

/// Whether another `model` lifts the refusal.
fn about_model(refusal: &Refusal) -> bool {
    match refusal.code {
        Code::ModelNotFound => true,
        Code::ModelNotPriced => matches!(refusal.detail, Detail::Model(_)),
        _ => false,
    }
}

fn anthropic_error<'a>(view: &'a View<'_>) -> AnthropicError<'a> {
    AnthropicError {
        r#type: taxonomy::anthropic(view.refusal.code, view.verdict.status),
        message: view.message(),
        details: AnthropicDetails {
            error_code: view.refusal.code.as_str(),
        },
    }
}

fn gemini<'a>(view: &'a View<'_>) -> Gemini<'a> {
    let subject = view.refusal.subject.as_ref();
    let account = subject.map(|subject| &subject.account);
    let metadata = Metadata {
        request_id: view.scene.request_id,
        problem_type: view.problem_uri(),
        retryable: if view.verdict.retryable {
            "true"
        } else {
            "false"
        },
        account: account.map(|account| account.as_str()),
        plan: subject.map(|subject| subject.plan.as_str()),
        pay_url: view
            .actions
            .remedy
            .and_then(|_| view.scene.links.pay(account)),
        resets_at: view.refusal.limit.and_then(|limit| limit.resets_at),
        max_affordable_tokens: view.affordable.map(Text),
    };
    Gemini {
        max_affordable_tokens: view.affordable,
        error: GeminiError {
            code: view.verdict.status.as_u16(),
            message: view.message(),
            status: taxonomy::gemini(view.verdict.status),
            details: [ErrorInfo {
                r#type: "type.googleapis.com/google.rpc.ErrorInfo",
                reason: Reason(view.refusal.code),
                domain: view.scene.links.authority(),
                metadata,
            }],
        },
    }
}
