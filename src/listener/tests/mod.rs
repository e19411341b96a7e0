//! Real sockets on the loopback, short deadlines, and no statement about speed: only about what comes in the end.

mod bind;
mod deadlines;
mod drain;
mod early_answer;
mod ends;
mod harness;
mod http;
mod parts;
mod tls;
mod tuning;
