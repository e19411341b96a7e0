//! Whatever a name or an explanation holds, bodies stay JSON and pages stay pages.

use proptest::prelude::{ProptestConfig, Strategy, any, proptest};

use super::{example, links, quota, scene, subject};
use crate::{
    domain::{AccountId, ModelName},
    providers::Dialect,
    refusal::{Code, Detail, Links, Refusal, Representation, render, stream_event},
};
use http::HeaderMap;

const NAME: &str = "[A-Za-z0-9._:@/+-]{1,64}";

fn code() -> impl Strategy<Value = Code> {
    (0..Code::ALL.len()).prop_map(|index| Code::ALL[index])
}

fn refusal(code: Code, account: &str, detail: Detail, limited: bool) -> Refusal {
    let mut subject = subject("free", None);
    subject.account = AccountId::parse(account).expect("a name");
    let refusal = Refusal::new(code).about(subject).with(detail);
    if limited {
        refusal.limited_by(quota())
    } else {
        refusal
    }
}

fn check(refusal: &Refusal, links: &Links) {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        let scene = scene(links, dialect, Representation::Dialect);
        let mut headers = HeaderMap::new();
        let body = render(refusal, &scene, &mut headers).body;
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let message = value["error"]["message"].as_str().expect("a message");
        assert!(!message.is_empty());
        if dialect == Dialect::OpenAi {
            assert_eq!(value["detail"], message);
            assert!(body.starts_with(b"{\"error\":{\"message\":"));
        }
        let event = stream_event(refusal, &scene);
        let event = std::str::from_utf8(&event).expect("UTF-8");
        // A line break in the data would end the event early.
        let lines: Vec<&str> = event
            .strip_suffix("\n\n")
            .expect("an end")
            .lines()
            .collect();
        let data = lines.last().expect("a line");
        assert_eq!(lines.len(), 1 + usize::from(dialect == Dialect::Anthropic));
        let data = data.strip_prefix("data: ").expect("data");
        serde_json::from_str::<serde_json::Value>(data).expect("JSON");
    }
    let scene = scene(links, Dialect::OpenAi, Representation::Html);
    let page = render(refusal, &scene, &mut HeaderMap::new()).body;
    well_formed(std::str::from_utf8(&page).expect("UTF-8"));
}

/// Every `<` opens one of our own elements and every `&` one of our own references.
fn well_formed(page: &str) {
    let ours = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "p", "h1", "a", "dl",
        "dt", "dd",
    ];
    for after in page.split('<').skip(1) {
        let (tag, _) = after.split_once('>').expect("a closed tag");
        let name = tag.trim_start_matches('/').split_ascii_whitespace().next();
        let name = name.expect("a name");
        assert!(ours.contains(&name), "<{name}> in {page}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    let references = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    for after in page.split('&').skip(1) {
        assert!(references.iter().any(|known| after.starts_with(known)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_explanation(code in code(), account in NAME, text in any::<String>(), limited in any::<bool>()) {
        check(&refusal(code, &account, Detail::Explain(text.into()), limited), &links());
    }

    #[test]
    fn any_model(code in code(), account in NAME, model in NAME, limited in any::<bool>()) {
        let model = Detail::Model(ModelName::parse(&model).expect("a name"));
        check(&refusal(code, &account, model, limited), &links());
    }

    #[test]
    fn any_address(code in code(), account in NAME, pay in any::<String>(), public in any::<String>()) {
        let links = Links { public_url: public, portal_url: Some(pay.clone()), pay_url: Some(pay) };
        check(&refusal(code, &account, Detail::None, true), &links);
    }
}

#[test]
fn markup_in_an_explanation_is_text() {
    let text = "<script>alert('x')</script>&\"\u{2028}";
    let refusal = Refusal::new(Code::InvalidJson).with(Detail::Explain(text.into()));
    let page = super::answer(&refusal, Dialect::OpenAi, Representation::Html);
    let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\u{2028}";
    assert!(page.text().contains(escaped), "{}", page.text());
}

#[test]
fn the_account_is_encoded_in_addresses() {
    let mut refusal = example(Code::QuotaExhausted);
    if let Some(subject) = &mut refusal.subject {
        subject.account = AccountId::parse("org/a+b@c").expect("a name");
    }
    let links = Links {
        pay_url: Some("https://pay.example.com/<{account}>?a={account}#\"".into()),
        ..links()
    };
    let mut headers = HeaderMap::new();
    let scene = scene(&links, Dialect::OpenAi, Representation::Dialect);
    render(&refusal, &scene, &mut headers);
    assert_eq!(
        headers["link"],
        "<https://pay.example.com/%3Corg%2Fa%2Bb%40c%3E?a=org%2Fa%2Bb%40c#%22>; rel=\"payment\""
    );
}
