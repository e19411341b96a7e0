//! Questions to the admin API that ask for everything, or for something else.

use crate::{
    fixture::{CHAT, KEY, planned, provider, served},
    harness::Gateway,
};

/// Percent-encoded: wildcards of SQL, its ends, regular expressions that never end, marks of other systems.
const HOSTILE: [&str; 16] = [
    "%25",
    "%25%25%25%25",
    "_",
    "a%25",
    "%27%20OR%20%271%27=%271",
    "%27;%20DROP%20TABLE%20calls;--",
    "%22%20OR%20%22%22=%22",
    "a%27--",
    "(a%2B)%2B%24",
    "%5E(.*)%2B%24",
    "%00",
    "a%00b",
    "..%2F..%2Fetc%2Fpasswd",
    "%7B%7B7*7%7D%7D",
    "%F0%9F%98%80",
    "a%20UNION%20SELECT%201",
];

#[tokio::test]
async fn no_question_gives_more_than_a_page_or_than_was_asked_for() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for _ in 0..3 {
        served(&gateway.chat(KEY, CHAT).send().await);
    }
    gateway.calls(3).await;
    let ask = async |path: &str| {
        let answer = gateway
            .admin("GET", &format!("/admin/v1/{path}"))
            .send()
            .await;
        let rows = answer.value()["data"].as_array().map(Vec::len);
        (answer.status.as_u16(), rows.unwrap_or(0))
    };
    assert_eq!(ask("calls?account=a&key=k&model=m").await, (200, 3));
    for list in [
        "calls",
        "keys",
        "accounts",
        "plans",
        "ledger",
        "notifications",
        "webhooks",
    ] {
        for limit in [
            "0",
            "-1",
            "1001",
            "1000000000",
            "18446744073709551616",
            "1e3",
            "0x10",
            "%31%30%30%31",
            "ten",
            "",
            "5;",
            "5%20",
            "1,000",
        ] {
            let (status, rows) = ask(&format!("{list}?limit={limit}")).await;
            assert_eq!((status, rows), (400, 0), "{list} {limit}");
        }
        assert_eq!(ask(&format!("{list}?limit=1000")).await.0, 200, "{list}");
        assert_eq!(
            ask(&format!("{list}?limit=5&limit=6")).await.0,
            400,
            "{list}"
        );
        for name in [
            "where",
            "filter",
            "q",
            "search",
            "sort",
            "order_by",
            "offset",
            "page_size",
            "select",
            "LIMIT",
        ] {
            assert_eq!(
                ask(&format!("{list}?{name}=1")).await.0,
                400,
                "{list} {name}"
            );
        }
        for text in HOSTILE {
            let (status, rows) = ask(&format!("{list}?cursor={text}")).await;
            assert!(
                matches!(status, 200 | 400) && rows <= 3,
                "{list} cursor={text}: {status} {rows}"
            );
        }
    }
    for text in HOSTILE {
        for name in ["account", "key", "model", "outcome", "since", "until"] {
            for list in ["calls", "usage"] {
                let (status, rows) = ask(&format!("{list}?{name}={text}")).await;
                assert!(
                    matches!(status, 200 | 400) && rows == 0,
                    "{list} {name}={text}: {status} {rows}"
                );
            }
        }
        let (status, rows) = ask(&format!("usage?by={text}")).await;
        assert_eq!((status, rows), (400, 0), "{text}");
        // As an id it is an id that nobody has.
        for path in ["calls", "keys", "accounts"] {
            let answer = gateway
                .admin("GET", &format!("/admin/v1/{path}/{text}"))
                .send()
                .await;
            assert!(
                matches!(answer.status.as_u16(), 400 | 404),
                "{path} {text}: {}",
                answer.text()
            );
        }
        let answer = gateway
            .admin("DELETE", &format!("/admin/v1/keys/{text}"))
            .send()
            .await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 404),
            "{text}: {}",
            answer.text()
        );
    }
    // A body as large and as deep as none is.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        deep,
        format!("{{\"id\":\"{}\"}}", "x".repeat((1 << 20) + 1)),
        "{\"id\":".repeat(50_000),
    ] {
        let answer = gateway
            .admin("POST", "/admin/v1/accounts")
            .json(&body)
            .send()
            .await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 413),
            "{}",
            answer.text()
        );
    }
    // Nothing of it did anything.
    assert_eq!(ask("calls?account=a").await, (200, 3));
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}
