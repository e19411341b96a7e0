use rustls::pki_types::CertificateDer;

use super::Smtp;
use crate::domain::Secret;

fn root() -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["authority.test".to_owned()]).unwrap();
    made.cert.der().clone()
}

fn parse(url: &str, roots: Vec<CertificateDer<'static>>) -> Result<Smtp, String> {
    let read = Smtp::parse(&Secret::new(url.to_owned()), || roots);
    read.map_err(|wrong| format!("{wrong}; {}", wrong.hint))
}

#[test]
fn servers_are_reached_over_tls_or_on_this_machine() {
    let shown = |url| format!("{:?}", parse(url, vec![root()]).unwrap());
    assert_eq!(
        shown("smtps://user:pass@smtp.example.com"),
        "smtp.example.com:465"
    );
    assert_eq!(
        shown("smtps://smtp.example.com:2465/"),
        "smtp.example.com:2465"
    );
    assert_eq!(
        shown("smtp://u%40x:p%3Aw@smtp.example.com?tls=required"),
        "smtp.example.com:587"
    );
    assert_eq!(shown("smtp://localhost"), "localhost:25");
    assert_eq!(shown("smtp://127.0.0.1:2525"), "127.0.0.1:2525");
    assert_eq!(shown("smtp://[::1]:2525"), "::1:2525");
}

#[test]
fn a_root_that_cannot_be_read_spoils_no_other() {
    let roots = vec![CertificateDer::from(vec![1, 2, 3]), root()];
    assert!(parse("smtps://smtp.example.com", roots).is_ok());
    let none = vec![CertificateDer::from(vec![1, 2, 3])];
    let wrong = parse("smtps://smtp.example.com", none).unwrap_err();
    assert!(wrong.contains("trusts no certificate authority"), "{wrong}");
}

#[test]
fn nothing_is_sent_in_the_clear_and_no_word_has_the_password() {
    let cases = [
        "",
        "smtp.example.com",
        "http://smtp.example.com",
        "smtp://smtp.example.com",
        "smtp://user:geheim@smtp.example.com:587",
        "smtp://user:geheim@smtp.example.com:587?tls=opportunistic",
        "smtp://user:geheim@127.0.0.1.evil.example:25",
        "smtps://user:geheim@smtp.example.com?tls=none",
        "smtps://geheim@smtp.example.com",
        "smtps://user:geheim@",
        "smtps://user:geheim@smtp.example.com:0",
        "smtps://user:geheim@smtp.example.com/path",
        "smtps://user:%ff@smtp.example.com",
    ];
    let mut lines = String::new();
    for case in cases {
        let wrong = parse(case, vec![root()]).unwrap_err();
        assert!(!wrong.contains("geheim"), "{wrong}");
        lines += &format!("{case:?}\n  {wrong}\n");
    }
    insta::assert_snapshot!("refused", lines);
}
