//! What is open where nobody has said what shall be.

use std::path::Path;

use faregate::config::{self, Environment};

/// One variable, and no authorities.
#[derive(Debug)]
struct Token(Option<&'static str>);

impl Environment for Token {
    fn get(&self, name: &str) -> Option<String> {
        (name == "TOKEN")
            .then(|| self.0.map(str::to_owned))
            .flatten()
    }

    fn system_roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        Vec::new()
    }
}

#[test]
fn an_admin_listener_needs_a_token_that_nobody_guesses() {
    let parse = |yaml: &str, token| config::parse(yaml, Path::new("faregate.yaml"), &Token(token));
    // Nobody asked for one.
    for yaml in ["", "server: {}\n", "providers: {}\n"] {
        assert!(parse(yaml, None).unwrap().admin.is_none(), "{yaml}");
    }
    for yaml in [
        "admin: {}\n",
        "admin:\n",
        "admin: {token: }\n",
        "admin: {token: \"\"}\n",
        "admin: {token: \"${TOKEN}\"}\n",
        "admin: {token: \"${TOKEN:-}\"}\n",
        "admin: {token: admin}\n",
        "admin: {token: changeme}\n",
        "admin: {token: sk-1234}\n",
        "admin: {token: 31-letters-are-one-letter-short}\n",
        "admin: {token: \"                                        \"}\n",
    ] {
        let problems = parse(yaml, None).err();
        let said = problems
            .unwrap_or_else(|| panic!("{yaml} was taken"))
            .to_string();
        assert!(said.contains("admin"), "{said}");
    }
    for short in ["", "short", "                                          "] {
        assert!(
            parse("admin: {token: \"${TOKEN}\"}\n", Some(short)).is_err(),
            "{short:?}"
        );
    }
    let token = "0123456789abcdef0123456789abcdef";
    let config = parse("admin: {token: \"${TOKEN}\"}\n", Some(token)).unwrap();
    assert_eq!(
        config.admin.unwrap().listener.address.to_string(),
        "127.0.0.1:8403"
    );
    assert_eq!(config.listener.address.to_string(), "127.0.0.1:8402");
}

#[test]
fn no_shipped_file_has_a_token_or_a_provider_key_in_it() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().map(|line| line.split('#').next().unwrap()) {
            for name in [" token:", "api_key:", "private_key:", "password:"] {
                let Some((_, value)) = line.split_once(name) else {
                    continue;
                };
                let value = value.trim_start().trim_start_matches('"');
                // A variable, a file, or a certificate's path.
                let fine =
                    value.starts_with("${") || value.starts_with("{file") || name == "private_key:";
                assert!(fine, "{}: {line}", path.display());
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_listens_where_it_was_told_and_nowhere_else() {
    use crate::harness::Daemon;
    // A provider that is simulated listens, too: on this machine alone.
    let yaml = "\
server: {listen: \"127.0.0.1:0\"}
admin: {listen: \"127.0.0.1:0\", token: test-admin-token-of-32-bytes-or-more}
store: {url: \"sqlite::memory:\"}
log: {format: json}
providers: {demo: {kind: simulated}}
";
    let daemon = Daemon::start(yaml).await;
    let open = crate::operations::listening(daemon.pid());
    assert!(
        open.contains(&daemon.address) && open.contains(&daemon.admin),
        "{open:?}"
    );
    assert!(
        open.len() <= 3 && open.iter().all(|address| address.ip().is_loopback()),
        "{open:?}"
    );
}
