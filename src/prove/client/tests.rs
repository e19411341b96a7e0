use http::StatusCode;

use super::read;

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
