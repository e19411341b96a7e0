//! A path that is almost another one is refused, never taken for it.

use super::{Gateway, file, gateway, provider, request, send};

/// Every path that is answered here or forwarded, with a method that it has.
const PATHS: [(&str, &str); 16] = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/problems/quota_exhausted"),
    ("GET", "/v1/faregate/limits"),
    ("POST", "/v1/faregate/preflight"),
    ("POST", "/faregate/webhooks/stripe"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/m"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/team/claude/v1/messages"),
    ("POST", "/team/v1/chat/completions"),
];

/// Spellings of `path` that some reader somewhere takes for it, or for its parent.
fn mutations(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    for at in &slashes {
        let (before, after) = path.split_at(*at);
        for inserted in [
            "/",
            "/.",
            "/..",
            "/x/..",
            ".",
            "/%2e",
            "/%2E%2e",
            "/.%2e",
            "/.;x",
            "/..;",
            "/%252e",
            "/;",
            "/;x=1",
            "/%2f",
            "/%5c",
            "/\\",
            "%2f",
            "%5c",
            "\\",
            "/%00",
            "/%20",
            "/\u{7f}",
            "/%c0%ae%c0%ae",
            "/%e2%80%a4",
        ] {
            all.push(format!("{before}{inserted}{after}"));
        }
        let rest = &after[1..];
        for slash in [
            "%2f",
            "%2F",
            "%5c",
            "\\",
            "%252f",
            "%25%32%66",
            "%c0%af",
            "%ef%bc%8f",
        ] {
            all.push(format!("{before}{slash}{rest}"));
            all.push(format!("{before}/{slash}{rest}"));
        }
    }
    for appended in [
        "/",
        "//",
        "/.",
        "/..",
        "/../..",
        "/%2e",
        "/%2e%2e",
        "/x/..",
        "/x/../..",
        "%2f",
        "%2e",
        "%00",
        "%0a",
        "%0d%0aX: y",
        "%20",
        "%09",
        ".",
        ";",
        ";x",
        "\\",
        "%5c",
        "%5C..",
        "/%2e%2e%2fhealthz",
        "%3f",
        "%23",
        "%3fx=y",
        "%",
        "%zz",
        "%2",
        "x",
        ".json",
        "%252e%252e",
        "%25",
        "~",
        "*",
        "/../healthz",
    ] {
        all.push(format!("{path}{appended}"));
    }
    for prefix in [
        "/.", "/..", "/x", "//", "/v1", "/V1", "/%76%31", "\\", "/;", "/%2e%2e", ".",
    ] {
        all.push(format!("{prefix}{path}"));
    }
    all.push(path.to_ascii_uppercase());
    // Each letter in the other case, and escaped.
    for (at, letter) in path
        .char_indices()
        .filter(|(_, letter)| letter.is_ascii_alphabetic())
    {
        let (before, after) = (&path[..at], &path[at + 1..]);
        all.push(format!("{before}{}{after}", letter.to_ascii_uppercase()));
        all.push(format!("{before}%{:02x}{after}", u32::from(letter)));
        all.push(format!("{before}%25{:02x}{after}", u32::from(letter)));
    }
    all.retain(|mutated| mutated != path);
    all
}

#[tokio::test]
async fn no_mutation_is_another_route() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let mut tried = 0;
    for (method, path) in PATHS {
        for target in mutations(path) {
            tried += 1;
            let answer = send(gateway.address, request(method, &target)).await;
            // An id may be escaped: it is the id, not the path, that is decoded.
            if path == "/v1/models/m" && target == "/v1/models/%6d" {
                assert_eq!(answer.status, 200);
                continue;
            }
            let ours = [
                (400, "invalid_path"),
                (400, "invalid_target"),
                (404, "route_not_found"),
                (404, "model_not_found"),
            ];
            let parsers = (400, "");
            let outcome = (answer.status, answer.code());
            let known = ours.iter().chain([&parsers]);
            assert!(
                known
                    .clone()
                    .any(|(status, code)| outcome == (*status, (*code).to_owned())),
                "{method} {target:?}: {answer:?}"
            );
            if outcome.0 == 404 && outcome.1 == "model_not_found" {
                assert!(target.starts_with("/v1/models/"), "{target}");
            }
        }
    }
    assert!(tried > 2000, "{tried}");
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_path_has_one_meaning_on_a_providers_route_too() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for target in [
        "/openai/../healthz",
        "/openai/v1/..",
        "/openai/v1/%2e%2e/admin",
        "/openai//v1/files",
        "/openai/v1%2ffiles",
        "/openai/v1%5cfiles",
        "/openai/v1/files%00",
        "/openai/.;/files",
        "/openai/v1/..;/files",
        "/openai/v1/%252e%252e/files",
        "/openai/%0d%0ax",
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid_path"),
            "{target}"
        );
    }
    for target in [
        "/OpenAI/v1/files",
        "/%6fpenai/v1/files",
        "/openai%2fv1/files",
        "/openai;x/v1/files",
        "/openai./v1/files",
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert!(matches!(answer.status, 400 | 404), "{target} {answer:?}");
    }
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn no_spelling_is_a_way_around_a_route() {
    let upstream = provider().await;
    // What all accounts may ask the provider for, but for its files, which are one's alone, and chats, which cost more.
    let rest = "\
plans: {p: {}}
accounts:
  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}
  - {id: b, plan: p}
routes:
  - {path: /, provider: up}
  - {path: /v1/files, provider: up, accounts: [b]}
  - {path: /v1/chat, provider: up, price_per_request: 0.25}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let answer = send(gateway.address, request("GET", "/v1/files/f")).await;
    assert_eq!(answer.code(), "permission_denied", "{answer:?}");
    for (method, target) in [
        ("GET", "/v1/%66iles"),
        ("GET", "/v1/%66iles/f?limit=1"),
        ("GET", "/%761/fil%65s/f"),
        ("GET", "/v1/FILES/f"),
        ("GET", "/V1/%46iles/f"),
        ("GET", "/v1/%2566iles/f"),
        ("GET", "/v1/files;x=y/f"),
        ("GET", "/v1/files%3Bx"),
        ("POST", "/v1/%63hat/completions"),
        ("POST", "/v1/Chat/completions"),
    ] {
        let answer = send(gateway.address, request(method, target)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid_path"),
            "{target} {answer:?}"
        );
    }
    assert_eq!(upstream.seen().len(), 0);
    // Whatever else has escapes or capitals goes where it went.
    for target in [
        "/v1/%66ilesx",
        "/v1/filesX",
        "/v1/batches/B%20%66iles",
        "/v1/Files-of-all",
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(answer.status, 200, "{target} {answer:?}");
        assert_eq!(upstream.seen().pop().unwrap().target, target);
    }
    gateway.stop().await;
}
