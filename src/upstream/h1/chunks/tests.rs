use proptest::{collection::vec, prelude::any, prop_assert_eq, proptest};

use super::{BytesMut, Chunks, Decoded};

/// What a body comes to that arrives in such pieces, and what is left behind it.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
    let (mut chunks, mut read, mut body) = (Chunks::default(), BytesMut::new(), Vec::new());
    for piece in pieces {
        read.extend_from_slice(piece);
        while let Decoded::Data(data) = chunks.decode(&mut read)? {
            body.extend_from_slice(&data);
        }
    }
    Ok((body, chunks.is_over(), read.to_vec()))
}

#[test]
fn chunks_that_are_there_together_become_one() {
    let mut read = BytesMut::from("3\r\none\r\n5;a=\"b\"\r\n, two\r\n2 \r\n, \r\n5\r\nthr");
    let mut chunks = Chunks::default();
    let data = |chunks: &mut Chunks, read: &mut BytesMut| match chunks.decode(read) {
        Ok(Decoded::Data(data)) => String::from_utf8(data.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(data(&mut chunks, &mut read), "one, two, thr");
    assert_eq!(chunks.decode(&mut read), Ok(Decoded::More));
    read.extend_from_slice(b"ee\r\n0\r\nx-sum: 1\r\n\r\nHTTP/1.1");
    assert_eq!(data(&mut chunks, &mut read), "ee");
    assert!(chunks.is_over());
    assert_eq!(chunks.decode(&mut read), Ok(Decoded::End));
    // What comes behind the end is not ours.
    assert_eq!(read, "HTTP/1.1");
}

#[test]
fn what_is_no_chunk_is_said_after_what_was() {
    for broken in [
        "\r\n",
        "x\r\n",
        " 3\r\nabc",
        "-3\r\nabc",
        "0x3\r\nabc",
        "3\nabc",
        "3 3\r\nabc",
        "3;a\nb\r\nabc",
        "3\rabc",
        "3\r\nabcd\r\n",
        "3\r\nabc\n",
        "3\r\nabc\rx",
        "10000000000000000\r\n",
        "0\r\nx\n\r\n",
        "0\r\n\rx",
        "0\r\n\n",
    ] {
        let (mut chunks, whole) = (Chunks::default(), format!("2\r\nok\r\n{broken}"));
        let mut read = BytesMut::from(whole.as_str());
        let Ok(Decoded::Data(data)) = chunks.decode(&mut read) else {
            panic!("{broken:?}");
        };
        assert!(data.starts_with(b"ok"), "{broken:?}");
        assert!(chunks.decode(&mut read).is_err(), "{broken:?}");
        assert!(chunks.decode(&mut read).is_err(), "{broken:?} stays broken");
    }
}

#[test]
fn nobody_talks_beside_the_point_for_ever() {
    let line = format!("1;{}\r\nx\r\n", "e".repeat(1000));
    assert!(decode([line.repeat(16).as_bytes()]).is_ok());
    assert!(decode([line.repeat(17).as_bytes()]).is_err());
    // Blanks behind a size are how some servers write sizes, so each chunk may have some.
    let padded = format!("1{}\r\nx\r\n", " ".repeat(64));
    assert!(decode([padded.repeat(1000).as_bytes()]).is_ok());
    assert!(decode([format!("1{}\r\nx\r\n", " ".repeat(65)).as_bytes()]).is_err());
    let trailers = format!("0\r\n{}", "a: b\r\n".repeat(10_000));
    assert!(decode([trailers.as_bytes()]).is_err());
}

proptest! {
    /// However it is cut, a body is the same.
    #[test]
    fn pieces_do_not_matter(
        sizes in vec(1_usize..300, 0..20),
        cuts in vec(any::<proptest::sample::Index>(), 0..12),
        upper in any::<bool>(),
    ) {
        let mut whole = Vec::new();
        let mut expected = Vec::new();
        for (at, size) in sizes.into_iter().enumerate() {
            let data = vec![b'a' + (at % 26) as u8; size];
            let line = if upper { format!("{size:X}\r\n") } else { format!("{size:03x};e\r\n") };
            whole.extend_from_slice(line.as_bytes());
            whole.extend_from_slice(&data);
            whole.extend_from_slice(b"\r\n");
            expected.extend_from_slice(&data);
        }
        whole.extend_from_slice(b"0\r\n\r\nmore");
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(whole.len())).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &whole[cut[0]..cut[1]]);
        let (body, over, rest) = decode(pieces).unwrap();
        prop_assert_eq!(body, expected);
        prop_assert_eq!((over, rest.as_slice()), (true, &b"more"[..]));
    }

    /// No bytes are a panic, and none are said twice.
    #[test]
    fn no_bytes_are_too_odd(pieces in vec(vec(any::<u8>(), 0..40), 0..12)) {
        let sent: usize = pieces.iter().map(Vec::len).sum();
        if let Ok((body, _, rest)) = decode(pieces.iter().map(Vec::as_slice)) {
            assert!(body.len() + rest.len() <= sent);
        }
    }
}
