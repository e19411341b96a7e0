//! Header blocks: h2spec's parts "generic/5" and "hpack".

use super::{Case, Expect, HEALTH, case, check};
use crate::harness::h2raw::{block, code, flag, headers, integer};

/// RFC 7541 appendix C.4.3: `custom-key` and `custom-value` in Huffman's code.
const KEY: &[u8] = b"\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f";
const VALUE: &[u8] = b"\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
/// Both as they are.
const PLAIN_KEY: &[u8] = b"\x0acustom-key";
const PLAIN_VALUE: &[u8] = b"\x0ccustom-value";
/// `user-agent` in the static table, RFC 7541 appendix A.
const USER_AGENT: usize = 58;

/// A question whose block begins with `before` and ends with `behind`.
fn asks(name: &'static str, before: &[u8], behind: &[u8], expect: Expect) -> Case {
    let block = [before, &block(&HEALTH), behind].concat();
    case(name, &[headers(flag::WHOLE, 1, &block)], expect)
}

/// One field behind the question: its representation's first bits, how many bits its index has, the name or its index,
/// and the value.
fn field(name: &'static str, first: u8, bits: u32, key: &[u8], value: &[u8]) -> Case {
    let mut field = Vec::new();
    if key.is_empty() {
        integer(&mut field, first, bits, USER_AGENT);
    } else {
        field.push(first);
        field.extend(key);
    }
    field.extend(value);
    asks(name, b"", &field, Expect::Answer(200))
}

#[tokio::test]
async fn every_representation() {
    let mut indexed = vec![0x82, 0x86];
    indexed.extend(&block(&HEALTH)[block(&HEALTH[..2]).len()..]);
    let mut sized = Vec::new();
    integer(&mut sized, 0x20, 5, 1000);
    let mut twice = sized.clone();
    integer(&mut twice, 0x20, 5, 4096);
    check(&[
        case(
            "generic/5/1 an indexed field",
            &[headers(flag::WHOLE, 1, &indexed)],
            Expect::Answer(200),
        ),
        field(
            "generic/5/2 indexing, known name",
            0x40,
            6,
            b"",
            PLAIN_VALUE,
        ),
        field("generic/5/3 and Huffman's code", 0x40, 6, b"", VALUE),
        field(
            "generic/5/4 indexing, new name",
            0x40,
            6,
            PLAIN_KEY,
            PLAIN_VALUE,
        ),
        field("generic/5/5 and Huffman's code", 0x40, 6, KEY, VALUE),
        field("generic/5/6 no index, known name", 0, 4, b"", PLAIN_VALUE),
        field("generic/5/7 and Huffman's code", 0, 4, b"", VALUE),
        field(
            "generic/5/8 no index, new name",
            0,
            4,
            PLAIN_KEY,
            PLAIN_VALUE,
        ),
        field("generic/5/9 and Huffman's code", 0, 4, KEY, VALUE),
        field(
            "generic/5/10 never indexed, known name",
            0x10,
            4,
            b"",
            PLAIN_VALUE,
        ),
        field("generic/5/11 and Huffman's code", 0x10, 4, b"", VALUE),
        field(
            "generic/5/12 never indexed, new name",
            0x10,
            4,
            PLAIN_KEY,
            PLAIN_VALUE,
        ),
        field("generic/5/13 and Huffman's code", 0x10, 4, KEY, VALUE),
        asks(
            "generic/5/14 another size of the table",
            &sized,
            b"",
            Expect::Answer(200),
        ),
        asks(
            "generic/5/15 two other sizes",
            &twice,
            b"",
            Expect::Answer(200),
        ),
    ])
    .await;
}

/// RFC 9113 §4.3 asks for `COMPRESSION_ERROR`; the library that serves us says `PROTOCOL_ERROR` to most. Either ends the
/// connection, which is what keeps the two tables from differing.
const BROKEN: Expect = Expect::Connection(&[code::COMPRESSION, code::PROTOCOL]);

#[tokio::test]
async fn blocks_that_cannot_be_read() {
    let mut unknown_name = Vec::new();
    integer(&mut unknown_name, 0x40, 6, 70);
    unknown_name.extend(PLAIN_VALUE);
    let mut too_large = Vec::new();
    integer(&mut too_large, 0x20, 5, 4097);
    let value = |bytes: &[u8]| {
        let mut field = vec![0];
        field.extend(PLAIN_KEY);
        field.push(0x80 | u8::try_from(bytes.len()).unwrap());
        field.extend(bytes);
        field
    };
    let padded = |last: &[u8]| value(&[&VALUE[1..9], last].concat());
    check(&[
        asks(
            "hpack/2.3.3/1 an index beyond the table",
            b"",
            &[0xc6],
            BROKEN,
        ),
        asks(
            "hpack/2.3.3/2 a name beyond the table",
            b"",
            &unknown_name,
            BROKEN,
        ),
        asks("hpack/4.2/1 a size behind a field", b"", &[0x20], BROKEN),
        asks(
            "hpack/5.2/1 more than seven bits of padding",
            b"",
            &padded(b"\xbf\xff"),
            BROKEN,
        ),
        // `a` has five bits, and three ones behind them.
        asks("hpack/5.2/2 padding of zeros", b"", &value(&[0x18]), BROKEN),
        asks(
            "hpack/5.2/3 the end in the middle",
            b"",
            &value(&[0xff; 4]),
            BROKEN,
        ),
        asks("hpack/6.1/1 the index 0", b"", &[0x80], BROKEN),
        asks(
            "hpack/6.3/1 a size above the setting",
            &too_large,
            b"",
            BROKEN,
        ),
    ])
    .await;
}
