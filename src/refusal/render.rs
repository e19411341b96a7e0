//! From a refusal to an answer. The status, the fields and the body are decided here and nowhere else.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{
    Links, Refusal, Representation, actions::Actions, headers, html, json, links::ProblemUri,
    verdict::Verdict, words,
};
use crate::{
    domain::{RequestId, Timestamp},
    providers::Dialect,
};

/// Who asked, how they want to be answered, and when.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The dialect of the path.
    pub dialect: Dialect,
    /// The kind of body that the client prefers.
    pub representation: Representation,
    /// Our name for the request.
    pub request_id: RequestId,
    /// The addresses to point to.
    pub links: &'a Links,
    /// The wall clock's time.
    pub now: Timestamp,
}

/// A rendered answer; its fields went into the map that was lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The status.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
}

/// A refusal with all that was concluded from it, once, for headers and body alike.
pub(super) struct View<'a> {
    pub(super) refusal: &'a Refusal,
    pub(super) scene: &'a Scene<'a>,
    pub(super) verdict: Verdict,
    pub(super) actions: Actions<'a>,
    /// The output limit to try with, unless it must not be named.
    pub(super) affordable: Option<u64>,
    message: Bytes,
}

impl<'a> View<'a> {
    /// What to answer a request with.
    pub(super) fn of(refusal: &'a Refusal, scene: &'a Scene<'a>) -> Self {
        Self {
            affordable: refusal.affordable_tokens(),
            ..Self::told(refusal, scene, words::message)
        }
    }

    /// What to end a stream with, where the same codes say that the answer was cut.
    fn at_the_end(refusal: &'a Refusal, scene: &'a Scene<'a>) -> Self {
        Self::told(refusal, scene, words::last_message)
    }

    fn told(
        refusal: &'a Refusal,
        scene: &'a Scene<'a>,
        tell: fn(&Refusal, &Verdict, &Actions<'_>) -> Bytes,
    ) -> Self {
        let verdict = Verdict::of(refusal, scene.now);
        let actions = Actions::of(refusal, &verdict, scene.links);
        let message = tell(refusal, &verdict, &actions);
        Self {
            refusal,
            scene,
            verdict,
            actions,
            affordable: None,
            message,
        }
    }

    /// What happened, the figures and what to do, in a sentence or two.
    pub(super) fn message(&self) -> &str {
        // It was written as text.
        std::str::from_utf8(&self.message).unwrap_or_default()
    }

    /// The address of the page that explains the code.
    pub(super) fn problem_uri(&self) -> ProblemUri<'a> {
        ProblemUri {
            links: self.scene.links,
            code: self.refusal.code,
        }
    }

    /// Whether somebody can pay to lift the refusal.
    pub(super) fn about_money(&self) -> bool {
        self.verdict.status == StatusCode::PAYMENT_REQUIRED
    }
}

/// Renders `refusal` and adds its fields to `headers`, replacing those of the same name.
///
/// What is in the map already stays, so that the map of the request can be cleared and lent. `Content-Length` is left to
/// the connection, which knows whether the body is sent.
pub fn render(refusal: &Refusal, scene: &Scene<'_>, headers: &mut HeaderMap) -> Rendered {
    let view = View::of(refusal, scene);
    headers::write(&view, headers);
    let body = match scene.representation {
        Representation::Dialect => json::body(&view),
        Representation::Problem => json::problem(&view),
        Representation::Html => html::refusal(&view),
    };
    Rendered {
        status: view.verdict.status,
        body,
    }
}

/// The last event of a stream whose answer had begun: server-sent events (WHATWG HTML §9.2) as the dialect's SDKs raise
/// them. OpenAI's has no `event:` line, and no `[DONE]` follows, because the answer is not complete.
///
/// An answer that became more than was held for it ends with `insufficient_credit_for_request` where credit pays,
/// `budget_exceeded` for a budget and `request_exceeds_limit` for a quota of tokens; facts are not needed.
pub fn stream_event(refusal: &Refusal, scene: &Scene<'_>) -> Bytes {
    json::stream_event(&View::at_the_end(refusal, scene))
}
