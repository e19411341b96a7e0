//! Events of payment providers: read, checked against their signature, handed on, and answered when they are durable.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::oneshot;

use super::Snapshot;
use crate::{
    admission::{self, Bounds, peek},
    domain::{Timestamp, Vendor},
    listener::Tasks,
    overload::Overload,
    refusal::{Code, Detail, Refusal},
    store::EventStatus,
    webhooks::{self, Illegible, PaymentEvent},
};

/// Bytes of an event at most. The vendors' own stay below a quarter of it.
const LARGEST: u64 = 1 << 20;

/// How long one may take. Vendors send theirs in one go, and anybody may send something to the same address.
const LONGEST: Duration = Duration::from_secs(10);

/// An event that its vendor has signed.
#[derive(Debug)]
pub struct Signed {
    /// Whose.
    pub vendor: Vendor,
    /// What it says.
    pub event: Result<PaymentEvent, Illegible>,
    /// The body as it came.
    pub payload: Bytes,
}

/// What became of an event. It is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// What became of it.
    pub status: EventStatus,
    /// Whether that was so before.
    pub duplicate: bool,
}

/// Why an event was not taken. Nothing of it is kept, and its vendor sends it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untaken {
    /// It cannot be kept, because it has no id; in words.
    Nameless(String),
    /// The store cannot be written.
    Unavailable,
}

/// A future that some trait object returns.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who is told of payments. What was taken is durable, and in force, when the future has ended.
pub trait Payments: fmt::Debug + Send + Sync {
    /// Takes an event.
    fn take(&self, signed: Signed) -> Boxed<'_, Result<Taken, Untaken>>;
}

/// Reads an event and checks its signature. Whoever cannot sign learns nothing but that.
pub(super) async fn read(
    vendor: Vendor,
    snapshot: &Snapshot,
    overload: &Overload,
    head: &Parts,
    unread: &mut Option<Incoming>,
    now: Timestamp,
) -> Result<Signed, Refusal> {
    let endpoint = snapshot
        .webhooks
        .endpoint(vendor)
        .ok_or(Code::RouteNotFound)?;
    admission::announced(&head.headers, LARGEST)?;
    admission::uncompressed(&head.headers)?;
    let bounds = Bounds {
        bytes: LARGEST,
        idle: snapshot.limits.body_idle.min(LONGEST),
        total: snapshot.limits.body_total.min(LONGEST),
    };
    let body = unread.take().ok_or(Code::InternalError)?;
    let mut room = overload.room(None);
    let payload = peek(body, bounds, &mut room).await?;
    let verified = webhooks::verify(vendor, endpoint, &head.headers, &payload, now);
    let verified = verified.map_err(|error| {
        tracing::warn!(
            vendor = vendor.as_str(), %error,
            "an event was refused, because it is not known to be the payment provider's"
        );
        Refusal::new(Code::InvalidSignature)
    })?;
    let event = webhooks::read(&verified, &snapshot.webhooks);
    Ok(Signed {
        vendor,
        event,
        payload,
    })
}

/// Hands an event on, and gives the answer's body. What was begun is finished though its sender may leave: what the
/// store has and what is in force must not come apart.
pub(super) async fn take(
    payments: &Arc<dyn Payments>,
    signed: Signed,
    tasks: &Tasks,
) -> Result<Bytes, Refusal> {
    let payments = Arc::clone(payments);
    let (tell, told) = oneshot::channel();
    tasks.spawn(async move { drop(tell.send(payments.take(signed).await)) });
    let taken = told.await.map_err(|_| Code::InternalError)?;
    let Taken { status, duplicate } = taken.map_err(|untaken| match untaken {
        Untaken::Nameless(words) => {
            Refusal::new(Code::InvalidJson).with(Detail::Explain(format!("{words}.").into()))
        }
        Untaken::Unavailable => Code::BillingUnavailable.into(),
    })?;
    let status = if duplicate {
        "duplicate"
    } else {
        status.as_str()
    };
    let body = json!({ "received": true, "status": status });
    Ok(format!("{body}\n").into())
}
