use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Answer, Broken, Call, Line, all_judged, read};
use crate::prove::Obstacle;

#[test]
fn an_answer_is_whole_when_it_has_its_end() {
    let whole = |body: &str, stream| read(StatusCode::OK, None, body.as_bytes(), stream);
    let answer = whole(
        r#"{"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
        false,
    );
    assert_eq!((answer.whole, answer.used), (true, Some((9, 2))));
    assert!(!whole(r#"{"usage":{"prompt_tokens":9"#, false).whole);
    assert!(whole("data: {}\n\ndata: [DONE]\n\n", true).whole);
    assert!(!whole("data: {}\n\ndata: {\"error\":{}}\n\n", true).whole);
}

#[test]
fn a_refusal_has_its_code_even_where_a_stream_was_asked_for() {
    let body = br#"{"error":{"code":"credit_exhausted"}}"#;
    let answer = read(StatusCode::PAYMENT_REQUIRED, None, body, true);
    assert!(answer.whole);
    assert_eq!(answer.code.as_deref(), Some("credit_exhausted"));
}

#[tokio::test]
async fn a_call_after_the_last_one_of_a_connection_has_one_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // A full server: every answer says that its connection is not kept.
    let server = async {
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                assert!(connection.read_buf(&mut request).await.unwrap() > 0);
            }
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let calls = async {
        let mut line = Line::to(address).await.unwrap();
        for _ in 0..2 {
            let call = Call {
                path: "/",
                account: "a",
                model: "m",
                max_tokens: 1,
                stream: false,
            };
            assert_eq!(line.call(call).await.unwrap().status, StatusCode::OK);
        }
    };
    tokio::join!(server, calls);
}

/// A machine that is too slow or too small breaks no promise.
#[test]
fn what_was_not_judged_is_no_broken_promise() {
    let answer = |status, code: Option<&str>| {
        Ok(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            id: None,
            code: code.map(str::to_owned),
            used: None,
            whole: true,
        })
    };
    let served = || answer(200, None);
    let refused = |code| answer(503, Some(code));
    assert!(all_judged(&[served(), answer(402, None), Err(Broken::Off)]).is_ok());
    let said = |answers: &[_]| all_judged(answers).unwrap_err().to_string();
    let busy = said(&[served(), refused("overloaded"), refused("overloaded")]);
    assert!(
        busy.starts_with("2 of the calls were answered with 503 (overloaded)"),
        "{busy}"
    );
    assert!(busy.contains("fewer --calls"), "{busy}");
    // No machine is too small for a disk that is full.
    let full = said(&[served(), refused("billing_unavailable")]);
    assert!(full.contains("disk") && full.contains("TMPDIR"), "{full}");
    assert!(!full.contains("--calls"), "{full}");
    let late = all_judged(&[served(), Err(Broken::Late)]);
    assert!(matches!(late, Err(Obstacle::Late(..))));
}
