//! Everything that is tested through the wire: one binary, one module for each feature.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed, and its tasks end with it; its helpers are tests as well"
)]

mod fixture;
mod harness;

/// The admin API from outside.
mod admin_wire;

/// What a compiler does not check of the sources.
mod architecture;

/// Who may call: credentials in every place, addresses, rotation, revocation.
mod auth;

/// Request bodies that are slow, large or broken.
mod bodies;

/// Calls at once, held until the body ends.
mod concurrency;

/// Web pages that may call.
mod cors;

/// The program as a process: signals, restarts, its log.
mod daemon;

/// Clients that leave.
mod disconnect;

/// The end of a gateway.
mod drain;

/// `faregate explain`.
mod explain;

/// Calls that are understood: what reaches the provider, byte for byte.
mod forwarding;

/// Requests that two readers could understand differently.
mod framing;

/// Comments in silent streams.
mod heartbeat;

/// Many calls on one connection.
mod http2;

/// HTTP/2 frame by frame.
mod http2_wire;

/// The program is killed at any moment, and nothing is lost.
mod kill;

/// Every way to leave, at every moment, and what is read on afterwards.
mod leaving;

/// Credit through the program, and what is left of it after a kill.
mod ledger;

/// Bounds of connections and requests, and peers that take their time.
mod limits;

/// One tenant does what it wants, and the others do not notice.
mod isolation;

/// `GET /v1/faregate/limits`.
mod limits_page;

/// Parts of runs that measure.
mod load;

/// Health, readiness and the pages about problems.
mod local_pages;

/// Answers of every endpoint: what passes, and what the record says.
mod metering;

/// Lists of models.
mod models_list;

/// Prices, budgets and credit: what is refused, held, charged and given back.
mod money;

/// What whoever runs it does to it, and what its machine does.
#[cfg(target_os = "linux")]
mod operations;

/// A gateway that is nearly overloaded.
mod overload;

/// Who may use which model on which route.
mod policy;

/// Telling people: webhooks and e-mail.
mod notifications;

/// What a call would meet: `POST /v1/faregate/preflight`.
mod preflight;

/// What asks for health.
mod probes;

/// The program under load and under attack: reloads, exits, what it never writes down.
mod process;

/// `faregate prove`, in small.
mod prove;

/// Requests and tokens per window.
mod quota;

/// Requests and tokens per minute.
mod rate;

/// What README.md shows.
mod readme;

/// Every refusal in every form.
mod refusals;

/// Answers that come before the request is whole.
mod refused_early;

/// Another file while calls are under way.
mod reload;

/// Reservations that are dropped, refused and settled.
mod reservation;

/// Paths, methods, hosts, targets, heads and bodies.
mod routing;

/// What nobody may ever read, looked for everywhere.
mod secrets;

/// What is shipped does what it says.
mod shipped;

/// The whole way: a call, a stream, refusals.
mod smoke;

/// A store whose disk is full, fails, is slow, or has no more places.
mod store_faults;

/// Streams pass frame by frame.
mod streaming;

/// Statuses, dates, grace, the silent payment provider.
mod subscription;

/// What can be reached, by whom, and what is said there that means something else to somebody.
mod surface;

/// TLS on both sides.
mod tls;

/// Access records and traces.
mod tracing;

/// Providers that fail.
mod upstream_faults;

/// Routes of one provider: everything passes as it is.
mod verbatim;

/// What payment providers tell: signed, in any order, once.
mod webhooks;
