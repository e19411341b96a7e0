use super::read;
use crate::providers::Endpoint;

fn opaque(endpoint: Endpoint, body: &str) -> bool {
    read(endpoint, body).expect("a body").opaque_input
}

#[test]
fn text_is_shown() {
    let chat = [
        r#"{"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":null,
            "refusal":null,"audio":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f"}}]},
            {"role":"tool","tool_call_id":"c","content":"{\"type\":\"image\"}"}]}"#,
        r#"{"messages":"whatever"}"#,
        r#"{"extra_body":{"google":{"thinking_config":{"thinking_budget":800},"cached_content":null}}}"#,
        r#"{"extra_body":["google"]}"#,
        r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},{"type":"custom"}]}"#,
    ];
    for body in chat {
        assert!(!opaque(Endpoint::ChatCompletions, body), "{body}");
    }
    let messages = [
        r#"{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"assistant",
            "content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"t","name":"n",
            "input":{"type":"image","source":{"type":"url"}}}]},{"role":"user","content":[{"type":"tool_result",
            "tool_use_id":"t","content":[{"type":"text","text":"r"}]}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"}}]}]}"#,
        r#"{"tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"bash_20250124","name":"bash"}]}"#,
    ];
    for body in messages {
        assert!(!opaque(Endpoint::Messages, body), "{body}");
    }
    let responses = [
        r#"{"input":"Hi"}"#,
        r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]},{"type":"reasoning","id":"rs",
            "summary":[],"encrypted_content":"x"},{"type":"function_call_output","call_id":"c","output":"o"}],
            "previous_response_id":null,"prompt":null}"#,
    ];
    for body in responses {
        assert!(!opaque(Endpoint::Responses, body), "{body}");
    }
    assert!(!opaque(Endpoint::Embeddings, r#"{"input":[[1,2],[3]]}"#));
    assert!(!opaque(Endpoint::Completions, r#"{"prompt":["a","b"]}"#));
}

#[test]
fn what_the_body_does_not_show_is_opaque() {
    let chat = [
        r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","file":{"file_id":"f"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"x"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"image_url":"https://x"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","type":"image_url"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"im\u0061ge_url"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"brand_new"}]}]}"#,
        r#"{"messages":[{"role":"assistant","audio":{"id":"a"}}]}"#,
        r#"{"web_search_options":{}}"#,
        r#"{"extra_body":{"google":{"thinking_config":{},"cached_content":"cachedContents/1"}}}"#,
        r#"{"extra_body":{"google":{"cachedContent":"cachedContents/1"}}}"#,
        r#"{"data_sources":[{"type":"azure_search","parameters":{}}]}"#,
    ];
    for body in chat {
        assert!(opaque(Endpoint::ChatCompletions, body), "{body}");
    }
    let messages = [
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"x"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"u"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"document"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}"#,
        r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#,
        r#"{"tools":[{"type":"computer_toolset_20260801"}]}"#,
        r#"{"container":"c"}"#,
        r#"{"thread":{"type":"continue","previous_message_id":"msg_1"},"messages":[]}"#,
    ];
    for body in messages {
        assert!(opaque(Endpoint::Messages, body), "{body}");
    }
    let responses = [
        r#"{"previous_response_id":"resp_1"}"#,
        r#"{"Previous_Response_Id":"resp_1"}"#,
        r#"{"conversation":"conv_1"}"#,
        r#"{"prompt":{"id":"pmpt_1"}}"#,
        r#"{"input":[{"type":"item_reference","id":"i"}]}"#,
        r#"{"input":[{"id":"i"}]}"#,
        r#"{"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_image"}]}]}"#,
        r#"{"input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]}"#,
        r#"{"tools":[{"type":"file_search","vector_store_ids":["v"]}]}"#,
    ];
    for body in responses {
        assert!(opaque(Endpoint::Responses, body), "{body}");
    }
}

#[test]
fn parts_nested_beyond_reason_are_opaque() {
    let nested = |depth: usize| {
        let open = r#"{"type":"tool_result","content":["#.repeat(depth);
        format!(
            r#"{{"messages":[{{"role":"user","content":[{open}{}]}}]}}"#,
            "]}".repeat(depth)
        )
    };
    assert!(!opaque(Endpoint::Messages, &nested(2)));
    assert!(opaque(Endpoint::Messages, &nested(9)));
}
