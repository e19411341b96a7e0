use super::{Bytes, HeaderMap, Length, StatusCode, Version, read};

fn said(head: &str) -> Result<(Length, bool), &'static str> {
    let head = read(
        Bytes::from(format!("{head}\r\n\r\n")),
        false,
        HeaderMap::new(),
    )?;
    Ok((head.length, head.reusable))
}

#[test]
fn names_values_and_status_are_what_was_sent() {
    let head =
        "HTTP/1.1 429 Slow Down\r\nContent-Length: 2\r\nX-Odd:\tv\u{e4}l \r\nx-odd: 2\r\n\r\n";
    let head = read(Bytes::from(head), false, HeaderMap::new()).unwrap();
    assert_eq!(head.parts.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(head.parts.version, Version::HTTP_11);
    let odd = head.parts.headers.get_all("x-odd").iter();
    let odd: Vec<_> = odd.map(|value| value.as_bytes()).collect();
    assert_eq!(odd, ["v\u{e4}l".as_bytes(), b"2"]);
    assert_eq!((head.length, head.reusable), (Length::Known(2), true));
}

#[test]
fn the_end_of_a_body_is_found_in_one_way() {
    for (head, expected) in [
        ("HTTP/1.1 200 OK", (Length::UntilClose, false)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0",
            (Length::Known(0), true),
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 7, 7\r\ncontent-length: 7",
            (Length::Known(7), true),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked",
            (Length::Chunked, true),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 7",
            (Length::Chunked, true),
        ),
        (
            "HTTP/1.1 204 No Content\r\ncontent-length: 7",
            (Length::Known(0), true),
        ),
        (
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked",
            (Length::Known(0), true),
        ),
        ("HTTP/1.1 103 Early Hints", (Length::Known(0), true)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: x, Close",
            (Length::Known(1), false),
        ),
        (
            "HTTP/1.0 200 OK\r\ncontent-length: 1",
            (Length::Known(1), false),
        ),
        (
            "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive",
            (Length::Known(1), true),
        ),
    ] {
        assert_eq!(said(head), Ok(expected), "{head}");
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n";
    let head = read(Bytes::from(head), true, HeaderMap::new()).unwrap();
    assert_eq!(
        head.length,
        Length::Known(0),
        "an answer to HEAD has no body"
    );
}

#[test]
fn what_is_ambiguous_or_no_head_is_refused() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 8",
        "HTTP/1.1 200 OK\r\ncontent-length: 7, 8",
        "HTTP/1.1 200 OK\r\ncontent-length: +7",
        "HTTP/1.1 200 OK\r\ncontent-length: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 7,",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999",
        "HTTP/1.1 204 No Content\r\ncontent-length: x",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 99 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 9999 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 200 OK\r\n x: folded",
        "HTTP/1.1 200 OK\r\nx: a\r\n b",
        "HTTP/1.1 200 OK\r\nx : a",
        "HTTP/1.1 200 OK\r\nx",
        "HTTP/1.1 200 OK\r\nx: \0",
        "\r\nHTTP/1.1 200 OK\r\n\r\nx",
        "",
    ] {
        assert!(said(head).is_err(), "{head:?}: {:?}", said(head));
    }
    let many = "HTTP/1.1 200 OK".to_owned() + &"\r\na: b".repeat(101);
    assert!(said(&many).is_err());
    assert!(said(&many[..many.len() - 6]).is_ok());
}

#[test]
fn a_line_ends_in_one_way() {
    for head in [
        "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\n",
        "\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        assert!(
            read(Bytes::from(head), false, HeaderMap::new()).is_err(),
            "{head:?}"
        );
    }
}

#[test]
fn a_map_is_used_again_unless_it_is_large() {
    let head = Bytes::from("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let capacity = |room| {
        let headers = HeaderMap::with_capacity(room);
        let head = read(head.clone(), false, headers).unwrap();
        assert_eq!(head.parts.headers.len(), 1);
        head.parts.headers.capacity()
    };
    assert_eq!(capacity(24), HeaderMap::<()>::with_capacity(24).capacity());
    assert_eq!(capacity(100), capacity(0));
}
