//! A refusal that a call would meet, as a document about it: nobody has been refused yet.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{
    Refusal, Scene,
    billing::{Billing, billing, bound},
    links::ProblemUri,
    render::View,
};

/// What a call would be refused with, as the member of a document. It is the same in every dialect.
pub struct Foreseen<'a>(View<'a>);

#[derive(Serialize)]
struct Document<'a> {
    status: u16,
    code: &'static str,
    message: &'a str,
    r#type: ProblemUri<'a>,
    title: &'static str,
    retryable: bool,
    /// Seconds, as the field of that name would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<Billing<'a>>,
}

impl<'a> Foreseen<'a> {
    /// What `refusal` would say in `scene`.
    pub fn new(refusal: &'a Refusal, scene: &'a Scene<'a>) -> Self {
        Self(View::of(refusal, scene))
    }

    /// The limit, or the credit, that would bind; without its figures where they must not be named.
    pub fn binds(&self) -> Option<impl Serialize + use<>> {
        bound(&self.0)
    }
}

impl fmt::Debug for Foreseen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Foreseen").field(self.0.refusal).finish()
    }
}

impl Serialize for Foreseen<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view) = self;
        let document = Document {
            status: view.verdict.status.as_u16(),
            code: view.refusal.code.as_str(),
            message: view.message(),
            r#type: view.problem_uri(),
            title: view.refusal.code.title(),
            retryable: view.verdict.retryable,
            retry_after: view.verdict.seconds(),
            max_affordable_tokens: view.affordable,
            billing: billing(view),
        };
        document.serialize(serializer)
    }
}
