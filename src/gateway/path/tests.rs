use super::is_plain;

#[test]
fn plain_paths_pass() {
    for path in [
        "/",
        "/v1/models",
        "/v1/models/",
        "/v1/a.b/c..d",
        "/v1/x%20y",
        "/v1/%E2%82%AC",
        "/a;b=c",
        "/...",
        "/%252x",
        "/v1/x%2520y",
        "/v1/100%25",
        "/v1/%3b",
    ] {
        assert!(is_plain(path), "{path}");
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for path in [
        "",
        "v1",
        "//",
        "/v1//models",
        "//evil/v1/x",
        "/v1/../admin",
        "/v1/./x",
        "/v1/..",
        "/v1/.",
        "/v1/%2e%2e/admin",
        "/v1/%2E./x",
        "/v1/.%2e",
        "/v1/..;/x",
        "/v1/.;a=b/x",
        "/v1/%2fadmin",
        "/v1%5cadmin",
        "/v1\\admin",
        "/v1/models%00",
        "/v1/%0d%0aX:",
        "/v1/%252e%252e/x",
        "/v1/%252f",
        // The escape is itself escaped, each digit on its own, or the parameters are.
        "/v1/%25%32e%25%32e/x",
        "/v1/%252%65./x",
        "/v1/%25%32%66x",
        "/v1/..%3b/x",
        "/v1/..%3Ba=b/x",
        // One reader leaves what the other cannot decode.
        "/v1/%",
        "/v1/%2",
        "/v1/%%32e/x",
        "/v1/100%/x",
        "/v1/%zz",
    ] {
        assert!(!is_plain(path), "{path}");
    }
}
