//! The process's limit of open files.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one, and returns the soft limit before and after.
///
/// Every connection takes a descriptor and so does its upstream; the usual soft limit of 1,024 is far below what
/// the shipped connection limit needs. An unlimited value is given as [`u64::MAX`].
///
/// # Errors
/// What the kernel says; the limit is then unchanged and the caller can go on.
pub fn raise_descriptor_limit() -> io::Result<(u64, u64)> {
    let limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if before >= hard {
        return Ok((before, before));
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok((before, hard))
}
