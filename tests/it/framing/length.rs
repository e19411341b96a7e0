//! `Content-Length`: one number, in digits, once, and never beside another framing.

use super::probe::{Probe, check, must, takes};

/// RFC 9112 §6.3 lets a server take the coding and close afterwards; what follows the last chunk is not read.
const CLOSES: &str =
    "the coding wins, the length goes no further, and nothing behind the body is read";

/// A length and a coding at once.
#[rustfmt::skip] // A line for each request.
pub(super) const BOTH: &[Probe] = &[
    takes(
        "length then coding, a request behind the last chunk",
        b"{P}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{S}",
        "400",
        CLOSES,
    ),
    takes(
        "length then coding, a whole chat in chunks",
        b"{P}Content-Length: {L}\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}",
        "200",
        CLOSES,
    ),
    takes(
        "coding then length",
        b"{P}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{D}{S}",
        "200",
        CLOSES,
    ),
    takes(
        "coding then a length that is none",
        b"{P}Transfer-Encoding: chunked\r\nContent-Length: abc\r\n\r\n{D}{S}",
        "200",
        CLOSES,
    ),
    takes(
        "coding between two lengths",
        b"{P}Content-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n{D}{S}",
        "200",
        CLOSES,
    ),
    takes(
        "both on an upload",
        b"{U}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}",
        "200",
        CLOSES,
    ),
    takes(
        "both on a GET",
        b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{S}",
        "200",
        CLOSES,
    ),
    must(
        "a length that is none, then coding",
        b"{P}Content-Length: abc\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}",
        "400",
    ),
    must(
        "both in HTTP/1.0",
        b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}Content-Length: {L}\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}",
        "400",
    ),
    must(
        "a length and a coding in disguise",
        b"{P}Content-Length: {L}\r\nTransfer-Encoding : chunked\r\n\r\n{C}",
        "400",
    ),
];

/// Several lengths.
#[rustfmt::skip] // A line for each request.
pub(super) const SEVERAL: &[Probe] = &[
    must("two that differ", b"{P}Content-Length: {L}\r\nContent-Length: 3\r\n\r\n{C}{S}", "400"),
    must("two that differ, the small one first", b"{P}Content-Length: 0\r\nContent-Length: {L}\r\n\r\n{C}{S}", "400"),
    must("three, one of which differs", b"{P}Content-Length: {L}\r\nContent-Length: {L}\r\nContent-Length: 1\r\n\r\n{C}", "400"),
    // RFC 9110 §8.6 allows it; the provider gets one.
    must("two that are equal", b"{P}Content-Length: {L}\r\nContent-Length: {L}\r\n\r\n{C}", "200 +"),
    must("two that are equal as numbers", b"{P}Content-Length: {L}\r\nContent-Length: 0{L}\r\n\r\n{C}", "200 +"),
    must("a list of equal ones", b"{P}Content-Length: {L}, {L}\r\n\r\n{C}", "400"),
    must("a list of different ones", b"{P}Content-Length: {L}, 3\r\n\r\n{C}{S}", "400"),
    must("a list with an empty member", b"{P}Content-Length: {L},\r\n\r\n{C}", "400"),
    must("one and one in disguise", b"{P}Content-Length: {L}\r\nContent_Length: 3\r\n\r\n{C}{S}", "400"),
];

/// Spellings of one length.
#[rustfmt::skip] // A line for each request.
pub(super) const SPELLED: &[Probe] = &[
    must("plus", b"{P}Content-Length: +{L}\r\n\r\n{C}", "400"),
    must("minus", b"{P}Content-Length: -{L}\r\n\r\n{C}", "400"),
    must("minus nought", b"{P}Content-Length: -0\r\n\r\n", "400"),
    must("hexadecimal", b"{P}Content-Length: 0x39\r\n\r\n{C}", "400"),
    must("octal", b"{P}Content-Length: 0o71\r\n\r\n{C}", "400"),
    must("exponent", b"{P}Content-Length: 5e1\r\n\r\n{C}", "400"),
    must("fraction", b"{P}Content-Length: {L}.0\r\n\r\n{C}", "400"),
    must("underscore", b"{P}Content-Length: 5_7\r\n\r\n{C}", "400"),
    must("space within", b"{P}Content-Length: 5 7\r\n\r\n{C}", "400"),
    must("tab within", b"{P}Content-Length: 5\t7\r\n\r\n{C}", "400"),
    must("comma within", b"{P}Content-Length: 5,7\r\n\r\n{C}", "400"),
    must("empty", b"{P}Content-Length: \r\n\r\n{S}", "400"),
    must("empty without a space", b"{P}Content-Length:\r\n\r\n{S}", "400"),
    must("a word", b"{P}Content-Length: all\r\n\r\n{C}", "400"),
    must("in quotes", b"{P}Content-Length: \"57\"\r\n\r\n{C}", "400"),
    must("other digits", b"{P}Content-Length: \xd9\xa5\xd9\xa7\r\n\r\n{C}", "400"),
    must("a vertical tab before it", b"{P}Content-Length: \x0b57\r\n\r\n{C}", "400"),
    must("a form feed behind it", b"{P}Content-Length: 57\x0c\r\n\r\n{C}", "400"),
    must("NUL behind it", b"{P}Content-Length: 57\0\r\n\r\n{C}", "400"),
    must("a no-break space behind it", b"{P}Content-Length: 57\xa0\r\n\r\n{C}", "400"),
    must("2^63", b"{P}Content-Length: 9223372036854775808\r\n\r\n{C}", "413"),
    // hyper reserves the two largest numbers for lengths that are not known, and calls them too large a head.
    must("2^64 - 1", b"{P}Content-Length: 18446744073709551615\r\n\r\n{C}", "400|431"),
    must("2^64", b"{P}Content-Length: 18446744073709551616\r\n\r\n{C}", "400"),
    must("2^64 + 57", b"{P}Content-Length: 18446744073709551673\r\n\r\n{C}{S}", "400"),
    must("a hundred digits", b"{P}Content-Length: 1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\r\n\r\n{C}", "400"),
    must("noughts before it", b"{P}Content-Length: 000000{L}\r\n\r\n{C}", "200 +"),
    must("spaces around it", b"{P}Content-Length: \t {L} \t\r\n\r\n{C}", "200 +"),
    must("no space before it", b"{P}Content-Length:{L}\r\n\r\n{C}", "200 +"),
    must("the name in capitals", b"{P}CONTENT-LENGTH: {L}\r\n\r\n{C}", "200 +"),
    must("a space in front of the colon", b"{P}Content-Length : {L}\r\n\r\n{C}", "400"),
    must("a tab in front of the colon", b"{P}Content-Length\t: {L}\r\n\r\n{C}", "400"),
    must("a line of its own", b"{P}Content-Length:\r\n {L}\r\n\r\n{C}", "400"),
];

/// Lengths that do not fit what follows.
#[rustfmt::skip] // A line for each request.
pub(super) const FITTING: &[Probe] = &[
    must("more than comes", b"{P}Content-Length: 5000\r\n\r\n{C}", "408"),
    must("more than comes, on an upload", b"{U}Content-Length: 5000\r\n\r\n{C}", "408"),
    // What is too much is the beginning of the next request.
    must("less than comes", b"{P}Content-Length: {L}\r\n\r\n{C}XX", "200 405 +|200 405"),
    must("none, with a body", b"{P}\r\n{C}", "400 400|400"),
    must("nought, with a request behind it", b"{P}Content-Length: 0\r\n\r\nGET /healthz HTTP/1.1\r\n{H}\r\n", "400 200 +|400"),
    must("on a GET, whole", b"{G}Content-Length: 5\r\n\r\nabcde", "200 +"),
    must("on a GET, the body looks like a request", b"{G}Content-Length: {N}\r\n\r\n{S}", "200 +"),
    must("on a HEAD, the body looks like a request", b"HEAD /v1/models HTTP/1.1\r\n{H}{K}Content-Length: {N}\r\n\r\n{S}", "200 +"),
    must("on a DELETE that is passed on", b"DELETE /raw/v1/files HTTP/1.1\r\n{H}{K}Content-Length: 5\r\n\r\nabcde", "200 +"),
    must("on an OPTIONS that is passed on", b"OPTIONS /raw/v1/files HTTP/1.1\r\n{H}{K}Content-Length: 5\r\n\r\nabcde", "200 +"),
];

#[tokio::test]
async fn a_length_and_a_coding_are_one_framing() {
    check(&[BOTH]).await;
}

#[tokio::test]
async fn lengths_that_differ_are_refused() {
    check(&[SEVERAL]).await;
}

#[tokio::test]
async fn a_length_is_written_in_digits() {
    check(&[SPELLED]).await;
}

#[tokio::test]
async fn a_body_is_as_long_as_announced() {
    check(&[FITTING]).await;
}
