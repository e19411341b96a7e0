//! Files that are wrong, half written or gone: what is in force stays.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use faregate::{
    app::App,
    config::{self, Environment},
    domain::Clock,
    telemetry::AccessLog,
};
use serde_json::Value;

use super::{ANSWER, yaml};
use crate::harness::{Daemon, KEY, Upstream, metrics, tells_no_secret, write};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// What is logged about the file that is read next, up to the line that says what became of it.
async fn told(daemon: &mut Daemon) -> Vec<Value> {
    daemon.signal("HUP");
    let mut lines = Vec::new();
    loop {
        let line = daemon
            .logs(|line| line["target"] == "faregate::app::run")
            .await;
        let last = line.get("config").is_some();
        lines.push(line);
        if last {
            return lines;
        }
    }
}

/// The old configuration serves, and says that the new one was refused; the words.
async fn stays(daemon: &mut Daemon) -> String {
    let lines = told(daemon).await;
    let last = lines.last().unwrap();
    assert_eq!(
        last["message"], "the file is wrong; the old configuration stays",
        "{lines:#?}"
    );
    let words = lines.iter().map(|line| line["message"].as_str().unwrap());
    let words = words.collect::<Vec<_>>().join("\n");
    tells_no_secret(&words);
    let page = metrics(daemon.admin).await;
    let refused = "\nfaregate_config_last_reload_success 0\n";
    assert!(page.text().contains(refused), "{words}");
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200, "{words}");
    words
}

#[tokio::test]
async fn a_wrong_file_is_told_with_its_place_and_the_old_one_stays() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let mut daemon = Daemon::start(&yaml(&upstream.url(), "")).await;
    let file = daemon.folder.path().join("faregate.yaml");
    let good = fs::read_to_string(&file).unwrap();
    let wrong = [
        ("nonsense: [\n", "", "faregate.yaml:"),
        ("models:", "modles:", "modles: "),
        ("  - {path: /raw,", "  - {path: /web,", "routes["),
        (
            "api_key: sk-upstream",
            "api_key: \"${FAREGATE_NOWHERE_SET}\"",
            "FAREGATE_NOWHERE_SET",
        ),
        (
            "server: {listen: \"127.0.0.1:0\"",
            "server: {listen: \"127.0.0.1:0\", tls: {certificate: no.pem, private_key: no.pem}",
            "no.pem",
        ),
        (
            "plans:\n",
            "prices:\n  m: {input: -1, output: 1}\nplans:\n",
            "prices.m.input",
        ),
        (
            "context_window: 100000",
            "context_window: -5",
            "context_window",
        ),
        ("plan: free", "plan: fre", "accounts[0].plan"),
        (KEY, "sk-upstream\u{7}", "keys[0].key"),
    ];
    for (from, to, place) in wrong {
        let text = if to.is_empty() {
            format!("{good}{from}")
        } else {
            good.replacen(from, to, 1)
        };
        assert_ne!(text, good, "{from}");
        fs::write(&file, text).unwrap();
        let words = stays(&mut daemon).await;
        assert!(words.contains("faregate.yaml:"), "{words}");
        assert!(words.contains(place), "{place}: {words}");
    }
    fs::write(&file, &good).unwrap();
    let lines = told(&mut daemon).await;
    assert_eq!(
        lines.last().unwrap()["message"],
        "the configuration was reloaded"
    );
    daemon.all_settled(&upstream, KEY).await;
}

#[tokio::test]
async fn a_file_that_is_half_written_or_gone_leaves_the_old_one_in_force() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let mut daemon = Daemon::start(&yaml(&upstream.url(), "")).await;
    let folder = daemon.folder.path().to_owned();
    let file = folder.join("faregate.yaml");
    let good = fs::read_to_string(&file).unwrap();
    // What a writer that is interrupted leaves: nothing yet, a part of a line, of a name, of a list.
    let (line, list) = (good.find("base_url").unwrap(), good.len() - 4);
    for cut in [0, 3, line, line + 4, list] {
        fs::write(&file, &good[..cut]).unwrap();
        stays(&mut daemon).await;
    }
    fs::write(&file, "# nothing but\n\n   \n# comments\n").unwrap();
    stays(&mut daemon).await;
    fs::write(&file, b"models: \xff\xfe\n").unwrap();
    stays(&mut daemon).await;
    fs::remove_file(&file).unwrap();
    stays(&mut daemon).await;
    fs::create_dir(&file).unwrap();
    stays(&mut daemon).await;
    fs::remove_dir(&file).unwrap();
    // What would be waited for, or has no end.
    symlink("/dev/zero", &file).unwrap();
    stays(&mut daemon).await;
    fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    stays(&mut daemon).await;
    fs::remove_file(&file).unwrap();

    // A link, as container platforms exchange files: it leads nowhere, then to another file, then back.
    symlink(folder.join("not-there.yaml"), &file).unwrap();
    stays(&mut daemon).await;
    let versions = ["one.yaml", "two.yaml"].map(|name| folder.join(name));
    fs::write(&versions[0], &good).unwrap();
    fs::write(
        &versions[1],
        good.replace(KEY, "another-key-of-account-free-1"),
    )
    .unwrap();
    for (version, status) in [(0, 200), (1, 401), (0, 200)] {
        let next = folder.join("next");
        symlink(&versions[version], &next).unwrap();
        fs::rename(&next, &file).unwrap();
        let lines = told(&mut daemon).await;
        assert_eq!(
            lines.last().unwrap()["message"],
            "the configuration was reloaded",
            "{lines:#?}"
        );
        assert_eq!(daemon.chat(KEY, CHAT).send().await.status, status);
    }
    daemon.all_settled(&upstream, KEY).await;
}

/// A place in a text changed as slips of the hand and of scripts change it.
fn slipped(text: &str, chance: &mut u64) -> String {
    let mut below = |bound: usize| {
        *chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*chance >> 33).unwrap() % bound
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = below(lines.len());
    match below(8) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at] = lines[at].replacen("  ", " ", 1),
        3 => lines[at] = lines[at].replacen(": ", ":", 1),
        4 => lines[at] = lines[at].replacen(|letter: char| letter.is_ascii_digit(), "0", 1),
        5 => lines[at] = lines[at].replacen(|letter: char| letter.is_ascii_digit(), "-7", 1),
        6 => {
            let other = below(lines.len());
            lines.swap(at, other);
        }
        _ => {
            let letters = lines[at].chars().count().max(1);
            let gone = below(letters);
            lines[at] = lines[at]
                .chars()
                .enumerate()
                .filter_map(|(place, letter)| (place != gone).then_some(letter))
                .collect();
        }
    }
    lines.join("\n") + "\n"
}

/// The variables of the shipped files.
#[derive(Debug)]
struct Set;

impl Environment for Set {
    fn get(&self, name: &str) -> Option<String> {
        Some(format!("a-value-for-{name}-of-more-than-32-letters"))
    }

    fn system_roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        Vec::new()
    }
}

#[tokio::test]
async fn what_check_accepts_can_be_served() {
    let shipped = [
        include_str!("../../../config/quickstart.yaml"),
        include_str!("../../../config/minimal.yaml"),
        include_str!("../../../config/full.yaml"),
    ];
    // The sequence is the same in every run; the texts change with the files.
    let (mut chance, mut accepted, mut refused) = (7, 0, 0);
    for round in 0..200 {
        let mut text = shipped[round % shipped.len()].to_owned();
        for _ in 0..=round % 7 / 6 {
            text = slipped(&text, &mut chance);
        }
        match config::parse(&text, Path::new("faregate.yaml"), &Set) {
            Err(problems) => {
                refused += 1;
                assert!(
                    problems.to_string().contains("faregate.yaml:"),
                    "{problems}"
                );
            }
            Ok(mut config) => {
                accepted += 1;
                // Addresses and disks are the machine's, not the file's.
                config.listener.address.set_port(0);
                config.listener.address.set_ip([127, 0, 0, 1].into());
                if let Some(admin) = &mut config.admin {
                    admin.listener.address = config.listener.address;
                }
                let memory =
                    config::parse("store: {url: \"sqlite::memory:\"}", Path::new("x"), &Set);
                config.store = memory.unwrap().store;
                let app = App::start(config, Clock::system(), AccessLog::silent()).await;
                let app =
                    app.unwrap_or_else(|error| panic!("accepted, and not served: {error}\n{text}"));
                app.begin_drain();
                app.force();
                app.stop().await;
            }
        }
    }
    assert!(
        accepted > 20 && refused > 20,
        "{accepted} accepted, {refused} refused"
    );
}

/// Whoever opens a pipe waits for its other end.
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_that_is_named_is_refused_at_once() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let good = yaml(&upstream.url(), "");
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), own.cert.pem()).unwrap();
    let said = format!("{} is a pipe, a socket or a device", pipe.display());
    let named = [
        (
            "{listen: \"127.0.0.1:0\"",
            "{listen: \"127.0.0.1:0\", tls: {certificate: pipe, private_key: pipe}",
        ),
        (
            "{listen: \"127.0.0.1:0\"",
            "{listen: \"127.0.0.1:0\", tls: {certificate: cert.pem, private_key: pipe}",
        ),
        ("api_key: sk-upstream", "api_key: {file: pipe}"),
        ("base_url: \"http:", "ca: pipe, base_url: \"https:"),
        ("plans:\n", "prices: {file: pipe}\nplans:\n"),
    ];
    for (from, to) in named {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        write(folder.path(), &text);
        let (code, words) = Daemon::fails_in(folder.path()).await;
        assert_eq!(code, Some(78), "{to}: {words}");
        assert!(words.contains(&said), "{to}: {words}");
    }
    // A daemon that runs would wait, and would not end when it is told to.
    let secret = folder.path().join("secret");
    fs::write(&secret, "sk-upstream").unwrap();
    let text = good.replacen("api_key: sk-upstream", "api_key: {file: secret}", 1);
    write(folder.path(), &text);
    let mut daemon = Daemon::start_in(folder).await;
    fs::rename(&pipe, &secret).unwrap();
    let words = stays(&mut daemon).await;
    assert!(words.contains("is a pipe"), "{words}");
    daemon.all_settled(&upstream, KEY).await;
}

/// As where a configuration and a secret are deployed one after the other.
#[tokio::test]
async fn a_file_that_a_refused_one_names_is_waited_for() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let good = yaml(&upstream.url(), "");
    let mut daemon = Daemon::start(&good).await;
    let folder = daemon.folder.path().to_owned();
    let next = good.replacen("api_key: sk-upstream", "api_key: {file: secret}", 1);
    assert_ne!(next, good);
    write(&folder, &next);
    let by_itself = |line: &Value| line["cause"] == "file";
    let refused = daemon.logs(by_itself).await;
    assert_eq!(
        refused["message"],
        "the file is wrong; the old configuration stays"
    );
    fs::write(folder.join("secret"), "sk-upstream").unwrap();
    let done = daemon.logs(by_itself).await;
    assert_eq!(done["message"], "the configuration was reloaded");
    daemon.all_settled(&upstream, KEY).await;
}

#[tokio::test]
async fn check_and_serve_refuse_the_same_files_with_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| -> Output {
        fs::write(folder.path().join("faregate.yaml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
        command
            .arg("check")
            .arg("--config")
            .arg(folder.path().join("faregate.yaml"));
        command.output().unwrap()
    };
    for text in [
        "modles: {}\n",
        "admin: {token: short}\n",
        "admin: {token: \"${FAREGATE_NOWHERE_SET}\"}\n",
        "server: [\n",
        "plans: {p: {quotas: [{tokens: 1, per: day}, {tokens: 2, per: day}]}}\n",
    ] {
        let checked = check(text);
        let (code, said) = Daemon::fails_in(folder.path()).await;
        assert_eq!(
            (checked.status.code(), code),
            (Some(78), Some(78)),
            "{text}"
        );
        assert_eq!(String::from_utf8(checked.stderr).unwrap(), said, "{text}");
    }
}
