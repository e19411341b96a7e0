//! JSON documents that are made to hurt.

use super::sizes::start;
use crate::harness::KEY;

/// An object with a model and these members.
fn with(members: &str) -> String {
    format!("{{\"model\":\"m\",{members}}}")
}

fn many(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|index| format!("\"k{index}\":1")).collect();
    members.join(",")
}

#[tokio::test]
async fn documents_that_nobody_should_read_are_refused() {
    let (gateway, upstream) = start().await;
    let mut told = String::new();
    for (name, body) in [
        (
            "ten thousand arrays deep",
            with(&format!(
                "\"a\":{}{}",
                "[".repeat(10_000),
                "]".repeat(10_000)
            )),
        ),
        (
            "ten thousand objects deep",
            with(&format!(
                "\"a\":{}1{}",
                "{\"a\":".repeat(10_000),
                "}".repeat(10_000)
            )),
        ),
        ("ten mebibytes of opening", "[".repeat(10 << 20)),
        (
            "ten mebibytes of opening objects",
            "{\"a\":".repeat(2 << 20),
        ),
        (
            "deep within the messages",
            with(&format!("\"messages\":{}", "[".repeat(1 << 20))),
        ),
        (
            "deep within the tools",
            with(&format!("\"tools\":[{}", "{\"a\":[".repeat(10_000))),
        ),
        (
            "129 deep",
            with(&format!("\"a\":{}{}", "[".repeat(128), "]".repeat(128))),
        ),
        ("a million members", with(&many(1_000_000))),
        (
            "a million members below",
            with(&format!("\"metadata\":{{{}}}", many(1_000_000))),
        ),
        ("a hundred thousand members and one", with(&many(100_000))),
        (
            "half a string",
            "{\"model\":\"m".to_owned() + &"a".repeat(10 << 20),
        ),
        (
            "half an escape",
            with(&format!("\"a\":\"{}", "\\u12".repeat(1 << 20))),
        ),
        (
            "no number",
            with(&format!("\"a\":{}e", "1".repeat(1 << 20))),
        ),
        (
            "two documents",
            "{\"model\":\"m\"}{\"model\":\"m\"}".to_owned(),
        ),
    ] {
        let answer = gateway.chat(KEY, &body).send().await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        assert_eq!(answer.code(), "invalid_json", "{name}");
        // It says what is wrong and where, and none of it again.
        assert!(answer.body.len() < 2000, "{name}");
        told.push_str(answer.text());
    }
    assert!(upstream.seen().is_empty());
    let mut served = 0;
    for (name, body) in [
        (
            "128 deep",
            with(&format!("\"a\":{}{}", "[".repeat(127), "]".repeat(127))),
        ),
        (
            "ten mebibytes of brackets in a string",
            with(&format!("\"a\":\"{}\"", "[{".repeat(5 << 20))),
        ),
        (
            "a million numbers",
            with(&format!("\"a\":[0{}]", ",1".repeat(1_000_000))),
        ),
        ("a hundred thousand members", with(&many(100_000 - 1))),
        (
            "a number of many digits",
            with(&format!("\"a\":{}", "1".repeat(1 << 20))),
        ),
    ] {
        let answer = gateway.chat(KEY, &body).send().await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        served += 1;
    }
    assert_eq!(upstream.seen().len(), served);
    crate::harness::unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}
