//! What the runner asks for.

use std::{error::Error, net::SocketAddr, time::Duration};

use crate::request::Template;

/// How load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Ask again as soon as there is an answer.
    Closed,
    /// Ask at a fixed rate.
    Open,
    /// As closed, with streams.
    Streams,
    /// Open streams and hold them.
    Hold,
}

/// Everything about one run.
#[derive(Debug)]
pub struct Arguments {
    /// How load is made.
    pub mode: Mode,
    /// Where it goes.
    pub address: SocketAddr,
    /// What is sent.
    pub template: Template,
    /// Connections at once.
    pub connections: usize,
    /// How long new requests are begun.
    pub time: Duration,
    /// Requests a second, of the open loop.
    pub rate: f64,
    /// Keys that take turns.
    pub keys: usize,
    /// From the number of one of them to the next.
    pub stride: usize,
}

const USAGE: &str = "usage: compare-load closed|open|streams|hold <address> --path <path> --body <file> \
    [--key <text with # for its number>] [--keys <n>] [--stride <n>] \
    [--connections <n>] [--seconds <s>] [--rate <per second>]";

impl Arguments {
    /// Reads them as the runner writes them.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mode = match words.next().as_deref() {
            Some("closed") => Mode::Closed,
            Some("open") => Mode::Open,
            Some("streams") => Mode::Streams,
            Some("hold") => Mode::Hold,
            _ => return Err(USAGE.into()),
        };
        let address: SocketAddr = words.next().ok_or(USAGE)?.parse()?;
        if !address.ip().is_loopback() {
            return Err("load is for this machine only: name a loopback address".into());
        }
        let (mut path, mut key, mut body) = (String::from("/"), None, Vec::new());
        let (mut connections, mut seconds, mut rate) = (1, 1.0, 100.0);
        let (mut keys, mut stride) = (1, 1);
        while let Some(option) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            match option.as_str() {
                "--path" => path = value,
                "--key" => key = Some(value),
                "--body" => body = std::fs::read(value)?,
                "--connections" => connections = value.parse()?,
                "--seconds" => seconds = value.parse()?,
                "--rate" => rate = value.parse()?,
                "--keys" => keys = value.parse()?,
                "--stride" => stride = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(Self {
            mode,
            address,
            template: Template::new(address, &path, key.as_deref(), &body),
            connections,
            time: Duration::from_secs_f64(seconds),
            rate,
            keys,
            stride,
        })
    }

    /// The number of the key whose turn it is.
    pub fn key(&self, turn: usize) -> usize {
        turn % self.keys * self.stride
    }
}
