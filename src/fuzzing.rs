//! What fuzzing asserts of everything that reads bytes from outside: a list of targets, each with its body.
//!
//! Empty but for tests and for the feature `fuzzing`, with which `fuzz/` is built. The bodies lie beside the code that
//! they are about; a test here replays the whole corpus of `fuzz/corpus`.

#[cfg(any(test, feature = "fuzzing"))]
mod targets;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "fuzzing"))]
pub use targets::{TARGETS, Target, run};
