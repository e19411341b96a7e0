use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use crate::upstream::target::join;

#[test]
fn one_v1_goes_and_none_comes() {
    for (base, target, expected) in [
        ("", "/v1/chat/completions", "/v1/chat/completions"),
        ("", "/chat/completions", "/chat/completions"),
        ("/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("/v1", "/chat/completions", "/v1/chat/completions"),
        ("/v1", "/v1/v1/x", "/v1/v1/x"),
        ("/v1", "/v1beta/models", "/v1/v1beta/models"),
        ("/v1", "/v1", "/v1"),
        ("/v1", "/v1?a=b", "/v1?a=b"),
        ("/openai/v1", "/v1/models", "/openai/v1/models"),
        ("/openai/v1", "/models", "/openai/v1/models"),
        ("/v1/openai", "/v1/models", "/v1/openai/v1/models"),
        ("/v1beta", "/v1/models", "/v1beta/v1/models"),
        ("", "", "/"),
        ("", "?a", "/?a"),
        ("/search", "", "/search"),
        ("/search", "?q=1", "/search?q=1"),
    ] {
        assert_eq!(join(base, target), expected, "{base} + {target}");
    }
}

#[test]
fn a_query_passes_byte_for_byte_less_the_clients_key() {
    for (target, expected) in [
        ("/x?a=%2f&b=+&&c", "/x?a=%2f&b=+&&c"),
        ("/x?", "/x?"),
        ("/x?key=secret", "/x"),
        ("/x?key", "/x"),
        ("/x?key=secret&alt=sse", "/x?alt=sse"),
        ("/x?alt=sse&key=secret", "/x?alt=sse"),
        ("/x?a=1&key=s&b=2&key=t", "/x?a=1&b=2"),
        ("/x?keys=1&mykey=2&a=key=3", "/x?keys=1&mykey=2&a=key=3"),
        ("/x?a=?key=1", "/x?a=?key=1"),
    ] {
        assert_eq!(join("", target), expected, "{target}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_the_rest_is_kept(base in "(/[a-z0-9]{1,3}){0,3}", path in "(/[a-z0-9]{1,4}){1,4}", query in "[a-z=&?%]{0,12}") {
        let target = format!("{path}?{query}");
        let joined = join(&base, &target);
        prop_assert!(joined.starts_with(&base));
        prop_assert!(!joined.split('?').skip(1).collect::<Vec<_>>().join("?").split('&').any(|m| m.starts_with("key=")));
        if !query.split('&').any(|member| member == "key" || member.starts_with("key=")) {
            let dropped = base.ends_with("/v1") && (path == "/v1" || path.starts_with("/v1/"));
            let rest = if dropped { &target[3..] } else { &target[..] };
            prop_assert_eq!(joined, format!("{base}{rest}"));
        }
    }
}
