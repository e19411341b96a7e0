//! The outermost layer: the clock, the request's id, and the record that is written when the answer has ended.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Frame;

use super::words::{Word, Words};
use crate::{
    accounts::Key,
    call::Destination,
    domain::{Clock, ModelName, ProviderId, RequestId, Timestamp, whole_millis},
    listener::{InFlight, Shutdown},
    metering::Receipt,
    overload::{Overload, Shed},
    providers::{Dialect, Endpoint},
    refusal::Code,
    store::Outcome,
    telemetry::{AccessLog, AccessRecord, Metrics},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What every observation needs.
#[derive(Debug, Clone)]
pub(super) struct ObservationContext {
    pub(super) log: AccessLog,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) overload: Overload,
    pub(super) shutdown: Shutdown,
}

/// One request, from its head to the end of its answer. Dropping it writes the record.
#[derive(Debug)]
pub(super) struct Observation {
    context: Arc<ObservationContext>,
    in_flight: InFlight,
    pub(super) id: RequestId,
    pub(super) at: Timestamp,
    pub(super) arrived: Duration,
    pub(super) client: IpAddr,
    method: Method,
    words: Words,
    routed: Option<Routed>,
    key: Option<Arc<Key>>,
    provider: Option<ProviderId>,
    model: Option<ModelName>,
    stream: bool,
    /// Whether it counts among the calls under way.
    let_in: bool,
    status: u16,
    code: Option<Code>,
    receipt: Option<Receipt>,
    bytes_in: u64,
    /// What was read of a body that is passed on as it comes.
    uploaded: Option<Arc<AtomicU64>>,
    bytes_out: u64,
}

/// Where a request goes, without its target, which is a handle on the head.
#[derive(Debug)]
struct Routed {
    route: Arc<str>,
    dialect: Dialect,
    endpoint: Endpoint,
}

impl Observation {
    /// Notes the arrival of a request.
    pub(super) fn begin(
        context: &Arc<ObservationContext>,
        head: &Parts,
        client: IpAddr,
        in_flight: InFlight,
    ) -> Self {
        context.metrics.request_started();
        let at = context.clock.now();
        let mut words = Words::default();
        words.keep(Word::Path, head.uri.path());
        words.keep_value(Word::UserAgent, head.headers.get(header::USER_AGENT));
        words.keep_value(Word::ClientRequestId, head.headers.get(X_REQUEST_ID));
        let trace = head.headers.get(TRACEPARENT);
        let trace = trace.and_then(|value| trace_id(value.to_str().ok()?));
        if let Some(id) = trace {
            words.keep(Word::TraceId, id);
        }
        Self {
            id: RequestId::new(at),
            at,
            arrived: context.clock.elapsed(),
            client,
            in_flight,
            method: head.method.clone(),
            words,
            routed: None,
            key: None,
            provider: None,
            model: None,
            stream: false,
            let_in: false,
            status: 0,
            code: None,
            receipt: None,
            bytes_in: 0,
            uploaded: None,
            bytes_out: 0,
            context: Arc::clone(context),
        }
    }

    pub(super) fn goes_to(&mut self, destination: &Destination) {
        self.routed = Some(Routed {
            route: Arc::clone(&destination.route.path),
            dialect: destination.dialect,
            endpoint: destination.endpoint,
        });
    }

    pub(super) fn comes_from(&mut self, key: &Arc<Key>) {
        self.key = Some(Arc::clone(key));
    }

    /// The same, for a call: it counts among those under way until its answer has ended.
    ///
    /// # Errors
    /// Its account has more than its share of them.
    pub(super) fn calls_from(&mut self, key: &Arc<Key>) -> Result<(), Shed> {
        self.comes_from(key);
        self.context.overload.let_in(&key.account.book)?;
        self.let_in = true;
        Ok(())
    }

    pub(super) fn asks(&mut self, model: Option<&ModelName>, stream: bool, bytes: u64) {
        self.model = model.cloned();
        self.stream = stream;
        self.bytes_in = bytes;
    }

    /// Where a body that is passed on as it comes is counted.
    pub(super) fn uploads(&mut self) -> Arc<AtomicU64> {
        Arc::clone(self.uploaded.get_or_insert_default())
    }

    pub(super) fn served_by(&mut self, provider: &ProviderId) {
        self.provider = Some(provider.clone());
    }

    /// Notes the provider's id of the call.
    pub(super) fn named(&mut self, id: Option<&HeaderValue>) {
        self.words.keep_value(Word::UpstreamRequestId, id);
    }

    /// The provider's id of the call, if it gave one.
    pub(super) fn upstream_id(&self) -> Option<&str> {
        self.words.get(Word::UpstreamRequestId)
    }

    /// Notes the answer's status, and the code where it is not the provider's.
    pub(super) fn answers(&mut self, status: StatusCode, code: Option<Code>) {
        self.in_flight.answered();
        self.status = status.as_u16();
        self.code = code;
        let Some(code) = code else { return };
        self.context.metrics.refused(code.as_str());
        self.blames(code);
    }

    /// Notes why an answer broke off after its head.
    pub(super) fn breaks_off(&mut self, code: Code) {
        if self.code.replace(code).is_none() {
            self.blames(code);
        }
    }

    fn blames(&self, code: Code) {
        if let Some(provider) = &self.provider
            && code.is_the_providers()
        {
            self.context
                .metrics
                .provider(provider.as_str())
                .failed(code.as_str());
        }
    }

    /// How a forwarded call ended. One that nobody has settled when its record is written is read to its end without
    /// its client, or was dropped with it before its answer's head.
    fn outcome(&self) -> Option<Outcome> {
        let left = self.provider.is_some() && self.code.is_none();
        match &self.receipt {
            Some(receipt) => Some(receipt.outcome),
            None if left && self.is_cut_off() => Some(Outcome::Indeterminate),
            None => left.then_some(Outcome::ClientClosed),
        }
    }

    /// Whether the end of our own drain came before its answer.
    fn is_cut_off(&self) -> bool {
        self.status == 0 && self.context.shutdown.is_cut_off()
    }

    pub(super) fn settled(&mut self, receipt: &Receipt) {
        self.receipt = Some(*receipt);
    }

    /// Notes what the client takes of the answer; a client that takes nothing is found by it.
    pub(super) fn passes<E>(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>) {
        if let Poll::Ready(Some(Ok(frame))) = polled {
            self.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        self.in_flight.watch(polled);
    }

    /// The dialect that the request was routed as, once it is known.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.routed.as_ref().map(|routed| routed.dialect)
    }

    fn write(&self) {
        let total = self.context.clock.elapsed().saturating_sub(self.arrived);
        let dialect = self.dialect().map(Dialect::as_str);
        let status = match self.status {
            0 if self.is_cut_off() => Code::Draining.status().as_u16(),
            // 499 is nginx's status for a client that left before it was answered.
            0 => 499,
            status => status,
        };
        self.context.metrics.request_ended(dialect, status, total);
        let [
            path,
            user_agent,
            client_request_id,
            upstream_request_id,
            trace_id,
        ] = self.words.all();
        let receipt = self.receipt.as_ref();
        let routed = self.routed.as_ref();
        let key = self.key.as_ref();
        self.context.log.write(&AccessRecord {
            at: self.at,
            request_id: self.id,
            client_request_id,
            upstream_request_id,
            trace_id,
            method: self.method.as_str(),
            path: path.unwrap_or_default(),
            route: routed.map(|routed| &*routed.route),
            dialect,
            endpoint: routed.map(|routed| routed.endpoint.as_str()),
            account: key.map(|key| &key.account.id),
            key: key.map(|key| &key.id),
            plan: key.map(|key| &key.account.plan.id),
            provider: self.provider.as_ref(),
            model: self.model.as_ref(),
            status,
            code: self.code.map(Code::as_str),
            outcome: self.outcome().map(Outcome::as_str),
            stream: self.stream,
            input_tokens: receipt.map(|receipt| receipt.usage.input),
            output_tokens: receipt.map(|receipt| receipt.usage.output),
            estimated: receipt.is_some_and(|receipt| receipt.estimated),
            cost: receipt.and_then(|receipt| receipt.cost),
            queue_ms: receipt.map(|receipt| whole_millis(receipt.queue)),
            first_byte_ms: receipt
                .and_then(|receipt| receipt.first_byte)
                .map(whole_millis),
            total_ms: whole_millis(total),
            bytes_in: self
                .uploaded
                .as_ref()
                .map_or(self.bytes_in, |uploaded| uploaded.load(Ordering::Relaxed)),
            bytes_out: self.bytes_out,
            client: self.client,
            user_agent,
        });
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if self.let_in
            && let Some(key) = &self.key
        {
            self.context.overload.let_out(&key.account.book);
        }
        self.write();
    }
}

/// W3C Trace Context §3.2.2: `version-trace_id-parent_id-flags`, the id 16 bytes in lower-case hex that are not all zero.
fn trace_id(traceparent: &str) -> Option<&str> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    traceparent.split('-').nth(1).filter(|id| {
        id.len() == 32 && id.bytes().all(is_hex) && id.bytes().any(|byte| byte != b'0')
    })
}
