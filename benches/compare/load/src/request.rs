//! The bytes of a request. They are made once; only the number in the key changes.

use std::{net::SocketAddr, ops::Range, sync::Arc};

/// Digits of a key's number.
const DIGITS: usize = 8;
/// Bodies up to here are sent in one write with their head.
const TOGETHER: usize = 64 << 10;

/// What every request of a run has.
#[derive(Debug)]
pub struct Template {
    head: Vec<u8>,
    number: Option<Range<usize>>,
    body: Arc<[u8]>,
}

/// The request of one connection.
#[derive(Debug)]
pub struct Request {
    first: Vec<u8>,
    rest: Option<Arc<[u8]>>,
    number: Option<Range<usize>>,
}

impl Template {
    /// A POST of a JSON body; `#` in the key is where its number goes.
    pub fn new(address: SocketAddr, path: &str, key: Option<&str>, body: &[u8]) -> Self {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\n\
             user-agent: compare-load\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        let mut number = None;
        if let Some(key) = key {
            head.push_str("authorization: Bearer ");
            let (before, after) = key
                .split_once('#')
                .map_or((key, None), |(before, after)| (before, Some(after)));
            head.push_str(before);
            if let Some(after) = after {
                number = Some(head.len()..head.len() + DIGITS);
                head.push_str("00000000");
                head.push_str(after);
            }
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self {
            head: head.into_bytes(),
            number,
            body: body.into(),
        }
    }

    /// A request of its own for a connection.
    pub fn request(&self) -> Request {
        let mut first = self.head.clone();
        let together = self.body.len() <= TOGETHER;
        if together {
            first.extend_from_slice(&self.body);
        }
        Request {
            first,
            rest: (!together).then(|| Arc::clone(&self.body)),
            number: self.number.clone(),
        }
    }
}

impl Request {
    /// Puts another key in.
    pub fn set_key(&mut self, mut number: usize) {
        let Some(place) = self.number.clone() else {
            return;
        };
        for digit in self.first[place].iter_mut().rev() {
            // A remainder of ten is one digit.
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }

    /// What is to be written, in order.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        (&self.first, self.rest.as_deref().unwrap_or_default())
    }
}
