use super::read;
use crate::{
    domain::{Extras, Feature, Features, ServiceTier},
    providers::Endpoint,
};

fn extras(endpoint: Endpoint, body: &str) -> Extras {
    read(endpoint, body).expect("a body").extras
}

/// What a chat asks for beyond what every chat does: OpenAI's caches are written to unasked.
fn chat(body: &str) -> Extras {
    let extras = extras(Endpoint::ChatCompletions, body);
    assert!(extras.cache_write, "{body}");
    Extras {
        cache_write: false,
        ..extras
    }
}

fn responses(body: &str) -> Vec<Feature> {
    extras(Endpoint::Responses, body).features.iter().collect()
}

fn tier(body: &str) -> Option<ServiceTier> {
    chat(body).service_tier
}

#[test]
fn text_asks_for_nothing_more() {
    let plain = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],
        "tools":[{"type":"function","function":{"name":"f"}}],"modalities":["text"],"audio":null,"service_tier":null,
        "web_search_options":null,"background":true,"speed":"fast","cache_control":null}"#;
    assert_eq!(chat(plain), Extras::PLAIN);
    let plain = r#"{"system":"s","messages":[{"role":"user","content":"a"}],"mcp_servers":null,"background":true,
        "tools":[{"name":"f","input_schema":{"audio":1}},{"type":"bash_20250124","name":"bash"}],"audio":{},"modalities":null}"#;
    assert_eq!(extras(Endpoint::Messages, plain), Extras::PLAIN);
    assert_eq!(
        extras(Endpoint::Messages, r#"{"mcp_servers":[]}"#),
        Extras::PLAIN
    );
    let embedding = extras(Endpoint::Embeddings, r#"{"input":["a","b"]}"#);
    assert_eq!(embedding, Extras::PLAIN);
}

#[test]
fn a_service_tier_is_its_word_unless_it_is_the_usual_one() {
    for usual in [
        "auto",
        "default",
        "standard",
        "standard_only",
        "on_demand",
        "AUTO",
    ] {
        assert_eq!(
            tier(&format!(r#"{{"service_tier":"{usual}"}}"#)),
            None,
            "{usual}"
        );
    }
    assert_eq!(
        tier(r#"{"service_tier":"flex"}"#),
        ServiceTier::parse("flex")
    );
    assert_eq!(
        tier(r#"{"Service_Tier":"fl\u0065x"}"#),
        ServiceTier::parse("flex")
    );
    assert_eq!(tier(r#"{"service_tier":"new"}"#), ServiceTier::parse("new"));
    for unknown in [
        "5",
        "[\"auto\"]",
        "\"\"",
        "\"two words\"",
        "\"longer-than-sixteen\"",
        "true",
    ] {
        let body = format!(r#"{{"service_tier":{unknown}}}"#);
        assert_eq!(tier(&body), Some(ServiceTier::UNKNOWN), "{unknown}");
    }
    // A reader may heed either copy.
    let twice = r#"{"service_tier":"flex","service_tier":"auto"}"#;
    assert_eq!(tier(twice), ServiceTier::parse("flex"));
    let both = r#"{"service_tier":"flex","service_tier":"priority"}"#;
    assert_eq!(tier(both), Some(ServiceTier::UNKNOWN));
}

#[test]
fn anthropics_speed_and_place_are_ways_of_being_served() {
    let tier = |body| extras(Endpoint::Messages, body).service_tier;
    assert_eq!(tier(r#"{"speed":"fast"}"#), ServiceTier::parse("fast"));
    assert_eq!(
        tier(r#"{"speed":"standard","inference_geo":"global"}"#),
        None
    );
    assert_eq!(tier(r#"{"inference_geo":"us"}"#), ServiceTier::parse("us"));
    let several = r#"{"inference_geo":"us","speed":"fast"}"#;
    assert_eq!(tier(several), Some(ServiceTier::UNKNOWN));
}

#[test]
fn tools_that_run_at_the_provider_are_features() {
    for (kind, feature) in [
        ("web_search", Feature::WebSearch),
        ("web_search_preview_2025_03_11", Feature::WebSearch),
        ("browser_search", Feature::WebSearch),
        ("web_fetch_20250910", Feature::WebFetch),
        ("code_interpreter", Feature::CodeExecution),
        ("code_execution_20250825", Feature::CodeExecution),
        ("file_search", Feature::FileSearch),
        ("mcp", Feature::Mcp),
        ("mcp_toolset", Feature::Mcp),
        ("image_generation", Feature::ImageGeneration),
        ("tool_search_tool_bm25_20251119", Feature::ToolSearch),
        ("brand_new", Feature::Other),
        ("", Feature::Other),
    ] {
        let body = format!(r#"{{"tools":[{{"type":"function"}},{{"type":"{kind}"}}]}}"#);
        assert_eq!(responses(&body), [feature], "{kind}");
        assert!(
            read(Endpoint::Responses, &body)
                .expect("a body")
                .opaque_input
        );
    }
    // What the client runs costs no more than its definition.
    for kind in [
        "computer",
        "computer_use_preview",
        "browser_toolset_20260801",
        "local_shell",
    ] {
        let body = format!(r#"{{"tools":[{{"type":"{kind}"}}]}}"#);
        assert_eq!(responses(&body), [], "{kind}");
    }
    assert_eq!(responses(r#"{"background":true}"#), [Feature::Background]);
    assert_eq!(responses(r#"{"background":false}"#), []);
    let both = r#"{"tools":[{"type":"mcp"},{"type":"web_search"}],"background":true}"#;
    let expected = [Feature::Background, Feature::WebSearch, Feature::Mcp];
    assert_eq!(responses(both), expected);
    for (asks, features) in [
        (r#"{"enable_search":true}"#, &[Feature::WebSearch][..]),
        (r#"{"enable_search":false}"#, &[]),
        (r#"{"enable_search":null}"#, &[]),
    ] {
        assert_eq!(
            chat(asks).features.iter().collect::<Vec<_>>(),
            features,
            "{asks}"
        );
    }
    let plugins = |plugins: &str| {
        let asked = chat(&format!(r#"{{"plugins":{plugins}}}"#));
        asked.features.iter().collect::<Vec<_>>()
    };
    assert_eq!(
        plugins(r#"[{"id":"web","max_results":9}]"#),
        [Feature::WebSearch]
    );
    assert_eq!(plugins(r#"[{"id":"file-parser"}]"#), [Feature::Other]);
    assert_eq!([plugins("[]"), plugins("null")], [[], []]);
    let search = chat(r#"{"web_search_options":{}}"#);
    assert!(search.features.contains(Feature::WebSearch) && search.unseen_input);
    let servers = extras(Endpoint::Messages, r#"{"mcp_servers":[{"type":"url"}]}"#);
    assert!(servers.features.contains(Feature::Mcp));
}

#[test]
fn tools_are_seen_wherever_a_conversation_offers_them() {
    for item in [
        r#"{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"f"},{"type":"web_search"}]}"#,
        r#"{"type":"tool_search_output","tools":[{"type":"web_search"}]}"#,
    ] {
        let body = format!(r#"{{"input":[{{"role":"user","content":"x"}},{item}]}}"#);
        assert_eq!(responses(&body), [Feature::WebSearch], "{item}");
    }
    let change = |tool: &str| {
        let body = format!(
            r#"{{"messages":[{{"role":"system","content":[{{"type":"tool_addition","tool":{tool}}}]}}]}}"#
        );
        let asked = extras(Endpoint::Messages, &body);
        asked.features.iter().collect::<Vec<_>>()
    };
    let definition =
        r#"{"type":"tool_definition","definition":{"type":"web_search_20250305","name":"w"}}"#;
    assert_eq!(change(definition), [Feature::WebSearch]);
    assert_eq!(
        change(r#"{"type":"tool_definition","definition":{"name":"f"}}"#),
        []
    );
    assert_eq!(change(r#"{"type":"tool_reference","name":"w"}"#), []);
    // What an MCP server listed before is no tool of the provider's.
    let listed =
        r#"{"input":[{"type":"mcp_list_tools","tools":[{"name":"f","input_schema":{}}]}]}"#;
    assert_eq!(responses(listed), []);
}

#[test]
fn sound_and_pictures_are_seen() {
    let plain = Extras::PLAIN;
    let spoken = Extras {
        audio_output: true,
        ..plain
    };
    assert_eq!(chat(r#"{"modalities":["text","audio"]}"#), spoken);
    assert_eq!(chat(r#"{"audio":{"voice":"ash"}}"#), spoken);
    let drawn = Extras {
        image_output: true,
        ..plain
    };
    assert_eq!(chat(r#"{"modalities":["IMAGE"]}"#), drawn);
    let mut other = plain;
    other.features.insert(Feature::Other);
    assert_eq!(chat(r#"{"modalities":["video"]}"#), other);
    for part in [
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"x"}}]}"#,
        r#"{"role":"user","content":[{"type":"audio_url"}]}"#,
        r#"{"role":"assistant","audio":{"id":"a"}}"#,
    ] {
        let heard = chat(&format!(r#"{{"messages":[{part}]}}"#));
        assert!(heard.audio_input && heard.unseen_input, "{part}");
    }
    // A picture is tokens like text; but whatever is not in the body may be sound.
    let picture = r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#;
    let unseen = Extras {
        unseen_input: true,
        ..plain
    };
    assert_eq!(chat(picture), unseen);
    let earlier = extras(Endpoint::Responses, r#"{"previous_response_id":"r"}"#);
    assert!(earlier.unseen_input && !earlier.audio_input);
    // Anthropic's models read no sound.
    let picture = r#"{"messages":[{"role":"user","content":[{"type":"image"}]}]}"#;
    assert_eq!(extras(Endpoint::Messages, picture), plain);
}

#[test]
fn cache_writes_are_seen_wherever_they_are_asked_for() {
    let control = |ttl: &str| format!(r#""cache_control":{{"type":"ephemeral"{ttl}}}"#);
    let places = |control: &str| {
        [
            format!(r#"{{{control}}}"#),
            format!(r#"{{"system":[{{"type":"text","text":"s",{control}}}]}}"#),
            format!(r#"{{"tools":[{{"name":"f",{control}}}]}}"#),
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"text",{control}}}]}}]}}"#
            ),
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"text",{control}}}]}}]}}]}}"#
            ),
        ]
    };
    for (ttl, hour) in [
        ("", false),
        (r#","ttl":"5m""#, false),
        (r#","ttl":null"#, false),
        (r#","ttl":"1h""#, true),
        (r#","ttl":"1d""#, true),
        (r#","ttl":3600"#, true),
    ] {
        let asked = Extras {
            cache_write: true,
            cache_write_1h: hour,
            ..Extras::PLAIN
        };
        for body in places(&control(ttl)) {
            assert_eq!(extras(Endpoint::Messages, &body), asked, "{body}");
        }
    }
    for body in places(r#""cache_control":null"#) {
        assert_eq!(extras(Endpoint::Messages, &body), Extras::PLAIN, "{body}");
    }
    // What is nested too deeply to be read may ask for anything.
    let open = r#"{"type":"tool_result","content":["#.repeat(9);
    let deep = format!(
        r#"{{"messages":[{{"content":[{open}{}]}}]}}"#,
        "]}".repeat(9)
    );
    assert!(extras(Endpoint::Messages, &deep).cache_write_1h);
}

#[test]
fn features_are_a_set() {
    let mut features = Features::NONE;
    assert!(features.is_empty());
    for feature in Feature::ALL {
        features.insert(feature);
        features.insert(feature);
    }
    assert_eq!(features.iter().collect::<Vec<_>>(), Feature::ALL);
    assert!(!features.contains(Feature::Other) && !features.is_empty());
}
