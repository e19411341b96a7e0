use super::{Endpoint, PATHS, model_in_path};
use crate::providers::Dialect;

#[test]
fn paths_are_known_with_and_without_their_version() {
    use Dialect::{Anthropic, Gemini, OpenAi};
    let cases = [
        ("/v1/chat/completions", OpenAi, Endpoint::ChatCompletions),
        ("/chat/completions", OpenAi, Endpoint::ChatCompletions),
        ("/v1/completions", OpenAi, Endpoint::Completions),
        ("/v1/responses", OpenAi, Endpoint::Responses),
        ("/v1/embeddings", OpenAi, Endpoint::Embeddings),
        ("/v1/messages", Anthropic, Endpoint::Messages),
        ("/messages", Anthropic, Endpoint::Messages),
        (
            "/v1/messages/count_tokens",
            Anthropic,
            Endpoint::CountTokens,
        ),
        ("/v1/messages/batches", Anthropic, Endpoint::Other),
        (
            "/v1/messages/batches/msgbatch_1",
            Anthropic,
            Endpoint::Other,
        ),
        ("/v1/messagesfoo", OpenAi, Endpoint::Other),
        ("/v1/models", OpenAi, Endpoint::Models),
        ("/v1/models/", OpenAi, Endpoint::Models),
        ("/v1/models/gpt-4o-mini", OpenAi, Endpoint::Model),
        ("/v1/models/ft:gpt-4o:org::id", OpenAi, Endpoint::Model),
        ("/v1/models/meta/llama", OpenAi, Endpoint::Model),
        (
            "/v1/models/gemini-2.5:generateContent",
            Gemini,
            Endpoint::Other,
        ),
        (
            "/v1beta/models/gemini-2.5:generateContent",
            Gemini,
            Endpoint::Other,
        ),
        ("/v1beta", Gemini, Endpoint::Other),
        ("/v1betas", OpenAi, Endpoint::Other),
        // Objects kept at OpenAI are no calls.
        ("/v1/responses/resp_1", OpenAi, Endpoint::Other),
        ("/v1/chat/completions/chatcmpl-1", OpenAi, Endpoint::Other),
        ("/v1/files", OpenAi, Endpoint::Other),
        ("/", OpenAi, Endpoint::Other),
        ("", OpenAi, Endpoint::Other),
        ("/v1", OpenAi, Endpoint::Other),
        ("/v1/v1/chat/completions", OpenAi, Endpoint::Other),
    ];
    for (path, dialect, endpoint) in cases {
        assert_eq!(Endpoint::classify(path), (dialect, endpoint), "{path}");
    }
}

#[test]
fn no_spelling_of_a_known_path_is_a_way_around_metering() {
    for path in [
        "/v1/chat/completions/",
        "/v1/Chat/Completions",
        "/V1/chat/completions",
        "/v1/ch%61t/completions",
        "/%76%31/chat/completions",
        "/v1/chat/completion%73",
    ] {
        let (_, endpoint) = Endpoint::classify(path);
        assert_eq!(endpoint, Endpoint::ChatCompletions, "{path}");
    }
    let long = format!("/v1/chat/completions{}", "%20".repeat(4000));
    assert_eq!(Endpoint::classify(&long).1, Endpoint::Other);
    assert_eq!(Endpoint::classify("/v1/%ff").1, Endpoint::Other);
}

#[test]
fn a_fixed_dialect_knows_its_own_paths() {
    let known = Endpoint::known;
    assert_eq!(
        known(Dialect::Anthropic, "/v1/messages"),
        Endpoint::Messages
    );
    assert_eq!(known(Dialect::OpenAi, "/v1/messages"), Endpoint::Other);
    assert_eq!(
        known(Dialect::Anthropic, "/v1/chat/completions"),
        Endpoint::Other
    );
    assert_eq!(known(Dialect::Anthropic, "/v1/models"), Endpoint::Models);
    assert_eq!(known(Dialect::OpenAi, "/v1/models/x"), Endpoint::Model);
    assert_eq!(known(Dialect::Gemini, "/v1/models"), Endpoint::Other);
}

#[test]
fn a_path_names_its_model_without_escapes() {
    let name = |path| model_in_path(path).map(std::borrow::Cow::into_owned);
    assert_eq!(name("/v1/models/gpt-4o").as_deref(), Some("gpt-4o"));
    assert_eq!(name("/models/a%3Ab%40c").as_deref(), Some("a:b@c"));
    assert_eq!(name("/v1/models"), None);
    assert_eq!(name("/v1/models/"), None);
    assert_eq!(name("/v1/models/%ff"), None);
}

#[test]
fn an_endpoint_says_its_word_its_methods_and_what_it_meters() {
    assert_eq!(Endpoint::ChatCompletions.methods(), "POST");
    assert_eq!(Endpoint::Models.methods(), "GET, HEAD");
    assert_eq!(Endpoint::CountTokens.as_str(), "messages.count_tokens");
    assert!(Endpoint::CountTokens.has_ask() && !Endpoint::CountTokens.meters_tokens());
    assert!(!Endpoint::Other.has_ask());
}

#[test]
fn what_is_almost_a_path_is_known_and_not_written() {
    let written = |path: &str| {
        let (_, endpoint) = Endpoint::classify(path);
        (endpoint != Endpoint::Other, endpoint.is_written(path))
    };
    for (path, ..) in PATHS {
        for path in [path.to_owned(), format!("/v1{path}")] {
            assert_eq!(written(&path), (true, true), "{path}");
            let upper = path.to_uppercase();
            let escaped = path.replace('m', "%6d");
            for almost in [format!("{path}/"), upper, escaped] {
                assert_eq!(written(&almost).1, almost == path, "{almost}");
            }
            for other in [
                format!("{path}x"),
                format!("/v1/v1{path}"),
                format!("/x{path}"),
            ] {
                assert_eq!(written(&other), (false, false), "{other}");
            }
        }
    }
    for (path, is) in [
        ("/v1/models", true),
        ("/models", true),
        ("/v1/models/m", true),
        ("/v1/models/meta/llama", true),
        ("/v1/models/", false),
        ("/v1/models/m/", false),
        ("/V1/models", false),
        ("/v1/Models/m", false),
        ("/v1/model%73", false),
    ] {
        assert_eq!(written(path).1, is, "{path}");
    }
}
