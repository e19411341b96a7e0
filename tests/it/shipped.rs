use std::path::Path;

use faregate::{
    app::{App, demo_commands},
    config::{self, Config, ProcessEnvironment},
    domain::Clock,
    telemetry::AccessLog,
};

use crate::harness::{Answer, Call, within};

/// The quickstart as it is shipped, but for its addresses.
fn quickstart() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.yaml");
    let mut config = config::load(&path, &ProcessEnvironment).unwrap();
    config.listener.address.set_port(0);
    let admin = config.admin.as_mut().unwrap();
    admin.listener.address.set_port(0);
    config
}

/// A command as a shell cuts it into words. Only single quotes are understood, and nothing else may be there.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        assert!(!part.contains(['"', '\\', '$', '`', '\n']), "{command}");
        for letter in part.chars() {
            match letter {
                ' ' if words.last().unwrap().is_empty() => {}
                ' ' => words.push(String::new()),
                letter => words.last_mut().unwrap().push(letter),
            }
        }
    }
    words
}

/// Does what `curl` would do.
async fn run(command: &str) -> Answer {
    let mut words = words(command).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"));
    let (mut url, mut fields, mut body) = (None, Vec::new(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" => fields.push(words.next().unwrap()),
            "-d" => body = words.next(),
            "-sSi" | "-sSiN" => {}
            word => assert!(url.replace(word.to_owned()).is_none(), "{word}"),
        }
    }
    let url: http::Uri = url.unwrap().parse().unwrap();
    let address = url.authority().unwrap().as_str().parse().unwrap();
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut call = Call::new(address, method, url.path());
    for field in &fields {
        let (name, value) = field.split_once(": ").unwrap();
        call = call.header(name, value);
    }
    call.body(body.unwrap_or_default()).send().await
}

#[tokio::test]
async fn the_commands_of_the_quickstart_do_what_they_say() {
    let config = quickstart();
    let app = App::start(quickstart(), Clock::system(), AccessLog::silent())
        .await
        .unwrap();
    let printed = demo_commands(&config, &format!("http://{}", app.address()));
    let mut said = Vec::new();
    let mut seen = Vec::new();
    for line in printed.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            said.push(comment.split(':').next().unwrap().to_owned());
        }
        if !line.starts_with("curl ") {
            continue;
        }
        let answer = run(line).await;
        assert!(!answer.broken);
        let kind = answer.header("content-type").unwrap().to_owned();
        seen.push((answer.status.as_u16().to_string(), kind, answer));
    }
    let statuses: Vec<&String> = seen.iter().map(|(status, ..)| status).collect();
    assert_eq!(statuses, ["200", "200", "402", "429"]);
    assert_eq!(statuses, said.iter().collect::<Vec<_>>(), "{printed}");
    let [
        (_, _, whole),
        (_, stream_kind, stream),
        (_, _, unpaid),
        (_, _, hasty),
    ] = &seen[..]
    else {
        panic!("{printed}");
    };
    assert!(whole.value()["usage"]["total_tokens"].as_u64().unwrap() > 0);
    assert!(
        stream_kind.starts_with("text/event-stream"),
        "{stream_kind}"
    );
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(unpaid.code(), "subscription_canceled");
    assert!(unpaid.header("link").unwrap().contains("rel=\"payment\""));
    assert_eq!(hasty.code(), "rate_limit_exceeded");
    within("the app stopped", app.stop()).await;
}

#[test]
fn a_command_is_cut_as_a_shell_cuts_it() {
    assert_eq!(
        words("curl -sSi  http://h/p -H 'A: b c' -d '{\"d\":1}'"),
        [
            "curl",
            "-sSi",
            "http://h/p",
            "-H",
            "A: b c",
            "-d",
            "{\"d\":1}"
        ]
    );
}
