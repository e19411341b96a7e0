//! The built program under load and under attack: reloads, exit codes, and what it never writes down.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use http_body_util::BodyExt;

use crate::harness::{
    Call, Daemon, Gate, KEY, LIMITED, Step, TOKEN, Upstream, daemon_file, json, raw_until_close,
    shared_config, sse, within,
};

const WHOLE: &str = r#"{"model":"m"}"#;
const STREAM: &str = r#"{"model":"m","stream":true}"#;
const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

fn yaml(url: &str) -> String {
    daemon_file("", "", &shared_config(url, ""))
}

/// A stream whose second event waits for the gate.
fn waiting(gate: &Gate) -> Vec<Step> {
    let mut steps = sse(&["data: {\"n\":1}\n\n", "data: [DONE]\n\n"]);
    steps.insert(2, Step::Wait(gate.clone()));
    steps
}

#[tokio::test]
async fn a_reload_under_load_fails_no_request_and_drops_no_stream() {
    const RELOADS: usize = 12;
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.json()["stream"] == true {
            waiting(&opened)
        } else {
            json("200 OK", ANSWER)
        }
    })
    .await;
    let first = yaml(&upstream.url());
    let mut daemon = Daemon::start(&first).await;
    let mut stream = daemon.chat(LIMITED, STREAM).open().await.into_body();
    within("a frame", stream.frame()).await.unwrap().unwrap();

    let (over, served) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let address = daemon.address;
    let callers = (0..4).map(|_| {
        let (over, served) = (Arc::clone(&over), Arc::clone(&served));
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let call = Call::new(address, "POST", "/v1/chat/completions");
                let answer = call.bearer(LIMITED).json(WHOLE).send().await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for round in 0..RELOADS {
        // Every other file has a model more; after each comes one that is wrong.
        let extra = round % 2 == 0;
        let model =
            "models:\n  extra: {provider: up, context_window: 1000, max_output_tokens: 500}\n";
        let more = first.replace("models:\n", model);
        let wrong = first.clone() + "nonsense: [\n";
        for (file, level) in [
            (if extra { &more } else { &first }, "info"),
            (&wrong, "error"),
        ] {
            let told = daemon.reload(file).await;
            assert_eq!(told["level"], level, "{told:#}");
            let answer = daemon.chat(LIMITED, r#"{"model":"extra"}"#).send().await;
            assert_eq!(
                answer.status,
                if extra { 200 } else { 404 },
                "{}",
                answer.text()
            );
        }
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        within("a caller", caller).await.unwrap();
    }
    gate.open();
    let last = within("a frame", stream.frame()).await.unwrap().unwrap();
    assert_eq!(last.into_data().unwrap(), "data: [DONE]\n\n");
    // Counters go on: every call that was served counts once, whatever was reloaded meanwhile.
    let expected = served.load(Ordering::Relaxed) + RELOADS as u64 + 1;
    let used = within("all calls counted", async {
        loop {
            let limits = Call::new(address, "GET", "/v1/faregate/limits").bearer(LIMITED);
            let limits = limits.send().await.value();
            let mut limits = limits["limits"].as_array().unwrap().iter();
            let requests =
                limits.find(|limit| limit["unit"] == "requests" && limit["per"] == "day");
            let used = requests.unwrap()["used"].as_u64().unwrap();
            if used >= expected {
                return used;
            }
        }
    })
    .await;
    assert_eq!(used, expected);
    daemon.signal("TERM");
    daemon.whole_log().await;
}

#[tokio::test]
async fn what_cannot_be_served_says_so_and_exits() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let text = yaml(&upstream.url());
    let daemon = Daemon::start(&text).await;
    let first = daemon.folder.path();
    let folder = tempfile::tempdir().unwrap();
    let fails = async |text: &str| {
        std::fs::write(folder.path().join("faregate.yaml"), text).unwrap();
        Daemon::fails_in(folder.path()).await
    };

    let (code, said) = fails(&text.replace("${folder}", first.to_str().unwrap())).await;
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("faregate.db"), "{said}");

    let own = text.replace("${folder}", folder.path().to_str().unwrap());
    let taken = daemon.address.to_string();
    let (code, said) = fails(&own.replacen("127.0.0.1:0", &taken, 1)).await;
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(&taken), "{said}");

    let (code, said) = fails(&own.replace("models:", "modles:")).await;
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("faregate.yaml:"), "{said}");
    assert!(said.contains("did you mean models?"), "{said}");
    assert!(!said.contains("sk-upstream"), "{said}");

    let (code, said) = Daemon::fails_in(&folder.path().join("none")).await;
    assert_eq!(code, Some(78), "{said}");
    // The first one still serves.
    assert_eq!(daemon.chat(KEY, WHOLE).send().await.status, 200);
}

#[tokio::test]
async fn no_secret_and_no_prompt_is_written_at_any_level() {
    const PROMPT: &str = "canary-of-the-prompt-11";
    const REPLY: &str = "canary-of-the-answer-22";
    const WORDS: &str = "canary-of-the-providers-words-33";
    let upstream = Upstream::start(|seen| {
        let value: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let chunk =
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{REPLY}\"}}}}]}}\n\n");
        match value["do"].as_str() {
            Some("stream") => sse(&[&chunk, "data: [DONE]\n\n"]),
            Some("cut") => {
                let mut steps = sse(&[&chunk]);
                *steps.last_mut().unwrap() = Step::Reset;
                steps
            }
            Some("reset") => vec![Step::Reset],
            Some("garbage") => vec![
                Step::Send(format!("{WORDS}\r\n\r\n").into_bytes()),
                Step::Close,
            ],
            Some("refuse") => json("401 Unauthorized", &format!("{{\"error\":\"{WORDS}\"}}")),
            _ => json(
                "200 OK",
                &format!("{{\"choices\":[{{\"message\":{{\"content\":\"{REPLY}\"}}}}]}}"),
            ),
        }
    })
    .await;
    let mut daemon = Daemon::start_at(&yaml(&upstream.url()), "trace").await;
    let mut requests = 0;
    for what in ["whole", "stream", "cut", "reset", "garbage", "refuse"] {
        let body = format!(
            r#"{{"model":"m","do":"{what}","stream":{},"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#,
            what == "stream"
        );
        daemon.chat(KEY, &body).send().await;
        let in_query = format!("/v1/chat/completions?key={LIMITED}&prompt={PROMPT}");
        Call::new(daemon.address, "POST", &in_query)
            .json(&body)
            .send()
            .await;
        requests += 2;
    }
    // What is refused has been read too: a broken body, a wrong key, an unknown model, a cookie.
    for (key, body) in [
        (KEY, format!("{{\"model\":\"m\",\"x\":{PROMPT}")),
        ("canary-of-a-wrong-key-44", WHOLE.to_owned()),
        (KEY, format!(r#"{{"model":"m","model":"{PROMPT}"}}"#)),
    ] {
        let call = daemon
            .chat(key, &body)
            .header("cookie", "canary-of-a-cookie-55");
        call.send().await;
        requests += 1;
    }
    // A head that is none is told of at the level `debug`.
    let garbage = "canary of a head 88\r\nauthorization: canary-of-a-field-99\r\n\r\n";
    raw_until_close(daemon.address, garbage.as_bytes()).await;
    let keys = |token: &str| Call::new(daemon.admin, "GET", "/admin/v1/keys").bearer(token);
    assert_eq!(keys(TOKEN).send().await.status, 200);
    assert_eq!(keys("canary-of-a-wrong-token-66").send().await.status, 401);
    daemon.reload("nonsense: canary-of-the-file-77\n").await;
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    assert_eq!(
        log.matches("\"target\":\"faregate::access\"").count(),
        requests,
        "{log}"
    );
    assert!(
        log.contains("\"level\":\"debug\""),
        "the levels were not in force:\n{log}"
    );
    for secret in [
        KEY,
        LIMITED,
        TOKEN,
        PROMPT,
        REPLY,
        WORDS,
        "sk-upstream",
        "sk-ant-upstream",
        "web-token",
        "canary",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_called_that() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faregate.yaml");
    let check = |value: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
        command.args(["--config".as_ref(), file.as_os_str(), "check".as_ref()]);
        command.env("NOT_TEXT", OsStr::from_bytes(value));
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for yaml in ["${NOT_TEXT}", "${NOT_TEXT:-sk-default-of-the-file}"] {
        let yaml = format!("providers: {{up: {{kind: openai, api_key: \"{yaml}\"}}}}\n");
        std::fs::write(&file, yaml).unwrap();
        let (code, words) = check(b"sk-\xff\xfe-secret");
        assert_eq!(code, Some(78), "{words}");
        assert!(
            words.contains("the environment variable NOT_TEXT is not UTF-8"),
            "{words}"
        );
        assert!(!words.contains("secret"), "{words}");
    }
    // A path need not be one.
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command.arg("check").current_dir(folder.path());
    command.env("FAREGATE_CONFIG", OsStr::from_bytes(b"/no\xffwhere.yaml"));
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{words}");
    assert!(words.contains("where.yaml"), "{words}");
}
