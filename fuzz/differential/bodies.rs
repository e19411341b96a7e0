//! Bodies to compare readers by: the corpus, a grammar, and what becomes of them by small changes.

use std::{fs, path::Path};

/// Names that mean something, and such as almost do.
const NAMES: [&str; 16] = [
    "model",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "n",
    "messages",
    "x",
    "Model",
    "\\u006dodel",
    "STREAM",
    "\u{17f}tream",
    "max_to\u{212a}ens",
    "\\u017ftream",
    "mod\\u0065l",
    "\\ud800",
];

const VALUES: [&str; 36] = [
    "true",
    "false",
    "null",
    "0",
    "1",
    "50",
    "-0",
    "-1",
    "1.0",
    "1e2",
    "1E+2",
    "0.5e-7",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "1e400",
    "\"gpt\"",
    "\"a/b-1.2:c\"",
    "\"\"",
    "\"\\ud83d\\udeaa\"",
    "\"\\ud800\"",
    "\"\\udeaa\\ud83d\"",
    "\"m\\u006f\\/\"",
    "\"\\u0000\"",
    "\"é🚪\"",
    "[]",
    "{}",
    "[1,{\"a\":[]}]",
    "{\"model\":\"inner\"}",
    "{\"include_usage\":true}",
    "{\"include_usage\":false,\"include_usage\":true}",
    "{\"Include_Usage\":1}",
    "NaN",
    "-Infinity",
    "01",
    "'a'",
];

const PIECES: [&[u8]; 34] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"\x0b",
    b"\x0c",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"-",
    b"+",
    b".",
    b"e",
    b"0",
    b"9",
    b"/*x*/",
    b"//x\n",
];

/// An endless source of bodies; the same seed gives the same ones.
#[derive(Debug)]
pub struct Bodies {
    corpus: Vec<Vec<u8>>,
    at: usize,
    state: u64,
}

impl Bodies {
    pub fn new(corpus: &Path, seed: u64) -> Self {
        let mut files: Vec<_> = fs::read_dir(corpus)
            .expect("the corpus is there")
            .map(|file| file.expect("a file").path())
            .collect();
        files.sort();
        // The first byte of an input is the endpoint's.
        let read = |path| {
            fs::read(path)
                .expect("a file")
                .get(1..)
                .unwrap_or_default()
                .to_vec()
        };
        Self {
            corpus: files.into_iter().map(read).collect(),
            at: 0,
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    pub fn next(&mut self) -> Vec<u8> {
        if let Some(body) = self.corpus.get(self.at) {
            self.at += 1;
            return body.clone();
        }
        let mut body = match self.below(4) {
            0 => {
                let at = self.below(self.corpus.len());
                self.corpus[at].clone()
            }
            _ => self.object(),
        };
        for _ in 0..self.below(4) {
            self.change(&mut body);
        }
        body
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random() % end.max(1) as u64).expect("it is below a usize")
    }

    fn object(&mut self) -> Vec<u8> {
        let mut text = String::from("{");
        for member in 0..self.below(6) {
            let space = ["", "", "", " ", "\n\t"][self.below(5)];
            // Names that count come more often, so that most bodies are about something.
            let half = self.below(2) == 0;
            let name = NAMES[self.below(if half { 4 } else { NAMES.len() })];
            let value = self.value(name);
            let comma = if member > 0 { "," } else { "" };
            text.push_str(&format!("{comma}{space}\"{name}\"{space}:{space}{value}"));
        }
        text.push('}');
        text.into_bytes()
    }

    fn value(&mut self, name: &str) -> String {
        match (name, self.below(3)) {
            ("model", 0) => "\"m\"".to_owned(),
            ("stream", 0) => "true".to_owned(),
            ("max_tokens" | "max_completion_tokens", 0) => self.random().to_string(),
            ("max_tokens" | "max_completion_tokens", 1) => (self.random() % 5000).to_string(),
            _ => VALUES[self.below(VALUES.len())].to_owned(),
        }
    }

    fn change(&mut self, body: &mut Vec<u8>) {
        let at = self.below(body.len() + 1);
        let end = (at + 1 + self.below(8)).min(body.len());
        match self.below(5) {
            0 if at < body.len() => body[at] ^= 1 << self.below(8),
            1 => drop(body.drain(at..end.max(at))),
            2 => {
                let copied = body[at..end.max(at)].to_vec();
                body.splice(at..at, copied);
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                body.splice(at..at, piece.iter().copied());
            }
        }
    }
}
