//! Calls over connections of their own, as any client makes them.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Obstacle, child::Daemon, configs};
use crate::domain::RequestId;

/// How long an answer may take. What takes longer hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A larger answer than any of these calls can have.
const ANSWER_BYTES: usize = 1 << 20;

/// A connection that is kept for the next call.
pub(super) struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    /// Whether the last answer said that the connection is not kept, as those of an overloaded daemon do.
    closes: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) path: &'a str,
    pub(super) account: &'a str,
    pub(super) model: &'a str,
    pub(super) max_tokens: u32,
    pub(super) stream: bool,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) id: Option<RequestId>,
    /// The code of a refusal, or nothing.
    pub(super) code: Option<String>,
    /// What the answer says it used, where it says so: input and output.
    pub(super) used: Option<(u64, u64)>,
    /// Whether it has everything that an answer of its kind ends with.
    pub(super) whole: bool,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It broke off.
    Off,
    /// It did not come in time.
    Late,
}

/// That the machine was fast and large enough to show anything. A 503 serves nobody and charges nothing: it breaks no
/// promise about money, and shows none.
pub(super) fn all_judged(answers: &[Result<Answer, Broken>]) -> Result<(), Obstacle> {
    if answers
        .iter()
        .any(|answer| matches!(answer, Err(Broken::Late)))
    {
        return Err(Obstacle::Late("an answer", PATIENCE.as_secs()));
    }
    let turned_away = |answer: &&Answer| answer.status == StatusCode::SERVICE_UNAVAILABLE;
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for answer in answers.iter().flatten().filter(turned_away) {
        let code = answer.code.as_deref().unwrap_or("no code");
        *codes.entry(code).or_default() += 1;
    }
    match codes.iter().max_by_key(|(_, count)| **count) {
        None => Ok(()),
        Some((code, _)) => Err(Obstacle::TurnedAway {
            calls: codes.values().sum(),
            code: (*code).to_owned(),
        }),
    }
}

impl Line {
    /// Connects.
    pub(super) async fn to(address: SocketAddr) -> Result<Self, Obstacle> {
        let lost = |error: &dyn std::error::Error| Obstacle::Unreachable(error.to_string());
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        let stream = connecting
            .map_err(|late| lost(&late))?
            .map_err(|error| lost(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "it moves the bytes of one connection and ends with it; nothing is lost when the process does"
        )]
        tokio::spawn(async move {
            // The call learns what the connection ends with.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            address,
            closes: false,
        })
    }

    /// A connection to a daemon. One that has ended says more than that nobody listens.
    pub(super) async fn with(daemon: &mut Daemon) -> Result<Self, Obstacle> {
        match Self::to(daemon.address).await {
            Err(unreachable) => {
                daemon.still_runs()?;
                Err(unreachable)
            }
            line => line,
        }
    }

    /// Makes calls one after the other.
    pub(super) async fn calls<'a>(
        mut self,
        calls: impl Iterator<Item = Call<'a>>,
    ) -> Vec<Result<Answer, Broken>> {
        let mut answers = Vec::with_capacity(calls.size_hint().0);
        for call in calls {
            let answer = self.call(call).await;
            answers.push(answer.and_then(|answer| {
                if answer.whole {
                    Ok(answer)
                } else {
                    Err(Broken::Off)
                }
            }));
        }
        answers
    }

    /// Makes a call and reads its answer to the end, on a new connection where the last one was not kept.
    pub(super) async fn call(&mut self, call: Call<'_>) -> Result<Answer, Broken> {
        if self.closes || self.sender.is_closed() {
            *self = Self::to(self.address).await.map_err(|_| Broken::Off)?;
        }
        let body = json!({
            "model": call.model,
            "stream": call.stream,
            "max_tokens": call.max_tokens,
            "messages": [{"role": "user", "content": "Prove it."}],
        });
        let request = Request::post(call.path)
            .header(header::HOST, self.address.to_string())
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", configs::key(call.account)),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| Broken::Off)?;
        let exchange = async {
            self.sender.ready().await.map_err(|_| Broken::Off)?;
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|_| Broken::Off)?;
            let (head, body) = response.into_parts();
            let kept = head.headers.get(header::CONNECTION);
            self.closes = kept.is_some_and(|kept| kept.as_bytes().eq_ignore_ascii_case(b"close"));
            let body = whole(body).await?;
            let id = head.headers.get("x-request-id");
            let id = id.and_then(|id| id.to_str().ok()?.parse().ok());
            Ok(read(head.status, id, &body, call.stream))
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or(Err(Broken::Late))
    }
}

/// Shares calls out over lines: how many the line of this number makes.
pub(super) fn share(calls: usize, lines: usize, number: usize) -> usize {
    calls / lines + usize::from(number < calls % lines)
}

async fn whole(mut body: Incoming) -> Result<Bytes, Broken> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Broken::Off)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > ANSWER_BYTES {
            return Err(Broken::Off);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn read(status: StatusCode, id: Option<RequestId>, body: &[u8], stream: bool) -> Answer {
    let streamed = stream && status.is_success();
    let parsed = serde_json::from_slice(body).unwrap_or(Value::Null);
    let usage = &parsed["usage"];
    let count = |name: &str| usage[name].as_u64();
    Answer {
        status,
        id,
        code: parsed["error"]["code"].as_str().map(str::to_owned),
        used: count("prompt_tokens").zip(count("completion_tokens")),
        whole: if streamed {
            body.ends_with(b"data: [DONE]\n\n")
        } else {
            parsed.is_object()
        },
    }
}

#[cfg(test)]
mod tests;
