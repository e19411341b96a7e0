//! Another reader of JSON in a process of its own: bodies go in with their length before them, a line comes out for each.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread,
};

use serde_json::Value;

/// A length that no body has.
const END_OF_BATCH: [u8; 4] = [0xff; 4];

/// A running judge.
#[derive(Debug)]
pub struct Judge {
    pub name: &'static str,
    bodies: Sender<Vec<u8>>,
    lines: BufReader<ChildStdout>,
    child: Child,
}

/// What it says of a body.
#[derive(Debug)]
pub enum Judged {
    /// It is no JSON.
    Rejected,
    /// It is JSON, but no object.
    Other,
    Object(Object),
}

/// The members that count.
#[derive(Debug)]
pub struct Object {
    /// `None` where it is no text, or no text that UTF-8 can write.
    pub model: Option<String>,
    pub stream: bool,
    pub stream_is_right: bool,
    pub max_tokens: Option<u64>,
    pub max_tokens_is_right: bool,
    pub max_completion_tokens: Option<u64>,
    /// Whether numbers have passed through floating point.
    pub rounds: bool,
    /// Whether it sees members that are there twice.
    pub knows_copies: bool,
    /// Whether a member that counts is there twice or in another case.
    pub copies: bool,
    pub options_copies: u64,
}

impl Judge {
    pub fn start(name: &'static str, script: &Path) -> Self {
        let mut child = Command::new(name)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let to = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let (bodies, given) = channel::<Vec<u8>>();
        // Pipes are short: writing and reading must not wait for each other.
        thread::spawn(move || given.into_iter().try_for_each(|bytes| write(&to, &bytes)));
        Self {
            name,
            bodies,
            lines,
            child,
        }
    }

    pub fn ask(&mut self, batch: &[Vec<u8>]) {
        let mut bytes = Vec::new();
        for body in batch {
            let length = u32::try_from(body.len()).expect("a body is short");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(body);
        }
        bytes.extend_from_slice(&END_OF_BATCH);
        self.bodies.send(bytes).expect("the judge lives");
    }

    pub fn hear(&mut self, count: usize) -> Vec<Judged> {
        let mut judged = Vec::with_capacity(count);
        for _ in 0..count {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("a line of UTF-8");
            assert!(
                read > 0,
                "{} has ended: {:?}",
                self.name,
                self.child.try_wait()
            );
            judged.push(match line.trim() {
                "-" => Judged::Rejected,
                "x" => Judged::Other,
                text => Judged::Object(Object::new(&serde_json::from_str(text).expect("JSON"))),
            });
        }
        judged
    }
}

fn write(mut to: &ChildStdin, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

impl Object {
    fn new(said: &Value) -> Self {
        // Whole numbers as texts of digits; above 2^64 they are held at the end.
        let count = |name: &str| {
            let digits = said[name].as_str()?;
            Some(digits.parse().unwrap_or(u64::MAX))
        };
        let flag = |name: &str| said[name] == Value::Bool(true);
        Self {
            model: said["model"].as_str().map(str::to_owned),
            stream: flag("stream"),
            stream_is_right: flag("stream_is_right"),
            max_tokens: count("max_tokens"),
            max_tokens_is_right: flag("max_tokens_is_right"),
            max_completion_tokens: count("max_completion_tokens"),
            rounds: flag("rounds"),
            knows_copies: said.get("copies").is_some(),
            copies: flag("copies"),
            options_copies: said["options_copies"].as_u64().unwrap_or(0),
        }
    }

    /// Whether two limits are the same, as far as floating point can tell.
    pub fn same_limit(&self, ours: Option<u64>, theirs: Option<u64>) -> bool {
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return ours == theirs;
        };
        ours == theirs || (self.rounds && ours as f64 == theirs as f64)
    }
}
