use std::net::Ipv4Addr;

use ipnet::IpNet;
use proptest::prelude::{any, prop_assert, proptest};

use super::{Host, WebhookUrl};
use crate::notify::send::address::special;

fn loopback() -> Vec<IpNet> {
    vec!["127.0.0.0/8".parse().unwrap()]
}

#[test]
fn a_url_is_taken_apart() {
    let url =
        WebhookUrl::parse("HTTPS://Hooks.Example.com:8443/a/b?token=s3cret&x=1", &[]).unwrap();
    assert!(url.is_secure());
    assert_eq!(url.host, Host::Name("hooks.example.com".into()));
    assert_eq!(url.port, 8443);
    assert_eq!(url.authority, "hooks.example.com:8443");
    assert_eq!(url.path, "/a/b?token=s3cret&x=1");
    // The query may be a secret: no name, no output has it.
    for shown in [url.name().to_owned(), url.to_string(), format!("{url:?}")] {
        assert!(
            shown.starts_with("https://hooks.example.com:8443/a/b#"),
            "{shown}"
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let other = WebhookUrl::parse("https://hooks.example.com:8443/a/b?token=other", &[]).unwrap();
    assert_ne!(url.name(), other.name());

    let short = WebhookUrl::parse("https://example.com?x", &[]).unwrap();
    assert_eq!((short.path.as_str(), short.port), ("/?x", 443));
    let plain = WebhookUrl::parse("http://127.0.0.1", &loopback()).unwrap();
    assert_eq!(
        (plain.path.as_str(), plain.port, plain.name()),
        ("/", 80, "http://127.0.0.1/")
    );
    let six = WebhookUrl::parse("https://[2606:4700::1]:444/x", &[]).unwrap();
    assert_eq!(
        (six.authority.as_str(), six.port),
        ("[2606:4700::1]:444", 444)
    );
}

#[test]
fn what_must_not_be_sent_to_is_refused_with_words() {
    let cases = [
        "example.com/hooks",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "unix:/run/x.sock",
        "https://user:password@example.com/",
        "https://evil.example@169.254.169.254/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com\\@evil.example/",
        "https:///path",
        "https://",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:+443/",
        "https://example.com:443:443/",
        "https://example..com/",
        "https://example.com./",
        "https://exa%6dple.com/",
        "https://exämple.com/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[v1.x]/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://127.0.0.0x1/",
        "https://10.0.0.256/",
        "https://1.2.3.4.5/",
        "https://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[fd00::1]/",
        "https://[fe80::1%25eth0]/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://app.localhost/",
        "https://redis/",
        "https://vault.internal/",
        "https://printer.local/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "http://example.com/hooks",
        "http://8.8.8.8/",
        "https://example.com/../admin",
        "https://example.com/%2e%2E/admin",
    ];
    let mut lines = String::new();
    for case in cases {
        let wrong = WebhookUrl::parse(case, &[]).unwrap_err();
        lines += &format!("{case:?}\n  {wrong}; {}\n", wrong.hint);
    }
    insta::assert_snapshot!("refused", lines);
}

#[test]
fn a_listed_network_may_be_sent_to_and_nothing_else() {
    let allowed = loopback();
    for good in [
        "http://127.0.0.1:9000/x",
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "http://receiver/",
        "https://vault.internal/",
    ] {
        assert!(WebhookUrl::parse(good, &allowed).is_ok(), "{good}");
    }
    for bad in [
        "https://10.0.0.1/",
        "http://8.8.8.8/",
        "https://127.1/",
        "https://metadata.google.internal/",
        "https://[::1]/",
    ] {
        assert!(WebhookUrl::parse(bad, &allowed).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(https?://)?[ -~\\PC]{0,60}") {
        let _ = WebhookUrl::parse(&text, &[]);
    }

    /// Every form of an address that `getaddrinfo` takes beside the plain one is refused, whichever address it is.
    #[test]
    fn other_forms_of_an_address_do_not_slip_through(bits in any::<u32>(), form in 0_u8..6) {
        let [a, b, c, d] = Ipv4Addr::from(bits).octets();
        let host = match form {
            0 => bits.to_string(),
            1 => format!("0x{bits:x}"),
            2 => format!("0{bits:o}"),
            3 => format!("{a}.{}", bits & 0xff_ffff),
            4 => format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
            _ => format!("{a}.{b}.{}", bits & 0xffff),
        };
        prop_assert!(WebhookUrl::parse(&format!("https://{host}/"), &[]).is_err(), "{}", host);
    }

    #[test]
    fn an_address_that_is_taken_is_public(bits in any::<u32>()) {
        let address = Ipv4Addr::from(bits);
        let taken = WebhookUrl::parse(&format!("https://{address}/"), &[]).is_ok();
        prop_assert!(taken == special(address.into()).is_none());
    }
}
