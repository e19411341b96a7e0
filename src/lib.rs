//! Faregate: an HTTP reverse proxy for AI APIs that knows who pays.
//!
//! A client keeps its SDK and points it here. Faregate authenticates the key, checks the subscription, applies rate
//! limits and quotas, holds what the call may use, and then either refuses with a body that tells the person *and* the
//! program what to do, or forwards the call and meters the answer to its last token.
//!
//! # Where to start
//!
//! Read [`gateway`]'s `stack.rs`: one function is the whole path of a request. Then [`admission`], whose checks it calls in
//! order, and [`metering`], whose reservation a forwarded call carries until its answer has ended.
//!
//! | rank | module | what it owns |
//! |---|---|---|
//! | 0 | [`domain`] | ids, instants, windows, limits, secrets |
//! | 1 | [`providers`] | wire formats: endpoints, bodies, usage, events |
//! | 1 | [`prices`] | what a call costs: price tables, bounds, exact sums |
//! | 1 | [`telemetry`] | log lines, access records, metrics |
//! | 2 | [`refusal`] | every answer that is not the provider's |
//! | 2 | [`accounts`] | keys, accounts, plans, and the state of their limits |
//! | 2 | [`listener`] | sockets, TLS, HTTP, deadlines, drain |
//! | 2 | [`simulate`] | a provider that needs no account |
//! | 2 | [`webhooks`] | payment providers' webhooks: signatures, and events as facts |
//! | 3 | [`call`] | models, routes, destinations |
//! | 3 | [`store`] | one SQLite file, one writer |
//! | 3 | [`overload`] | how near the gateway is to its limits, and who has to wait then |
//! | 4 | [`metering`] | reservations, and bodies that settle them |
//! | 5 | [`admission`] | the checks, each a value that the next one needs |
//! | 5 | [`upstream`] | connections to providers |
//! | 5 | [`admin`] | the administrative API |
//! | 5 | [`notify`] | notifications: webhooks, e-mail, their queue |
//! | 6 | [`gateway`] | the path of a request |
//! | 7 | [`config`] | one YAML file, compiled into every module's settings |
//! | 8 | [`reload`] | what a changed file may change |
//! | 8 | [`fuzzing`] | the fuzz targets, for `fuzz/` alone |
//! | 9 | [`app`] | the composition root: everything started, reloaded and stopped |
//! | 9 | [`prove`] | the proofs of `faregate prove` |
//! | 10 | [`cli`] | the command line |
//!
//! A module imports lower ranks only; a test enforces it.
//!
//! # What holds everywhere
//!
//! * Admission performs no I/O except reading a request's body.
//! * No module below rank 7 reads configuration, from a file or the environment.
//! * No module below rank 6 knows both how a request was admitted and where it goes.
//! * No call waits for the store, except with `store.durability: strict`: there it waits, within bounds, until its hold and
//!   its record are on the disk.
//! * On the public listener nothing but [`refusal`] chooses a 4xx or 5xx status of ours, apart from `/readyz`.
//! * Whoever takes from a limit gives back by dropping what was taken: seats, reservations and bodies are guards.

pub mod accounts;
pub mod admin;
pub mod admission;
pub mod app;
pub mod call;
pub mod cli;
pub mod config;
pub mod domain;
pub mod fuzzing;
pub mod gateway;
pub mod listener;
pub mod metering;
pub mod notify;
pub mod overload;
pub mod prices;
pub mod prove;
pub mod providers;
pub mod refusal;
pub mod reload;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod webhooks;
