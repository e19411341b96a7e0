use faregate::refusal::Code;

use crate::{
    fixture::{planned, provider, refused, served},
    harness::{Gateway, Upstream},
};

async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&planned(upstream, "{}")).await
}

#[tokio::test]
async fn health_and_readiness_need_no_key() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for (path, body) in [
        ("/healthz", "{\"status\":\"ok\"}\n"),
        ("/readyz", "{\"status\":\"ready\"}\n"),
    ] {
        let answer = gateway.call("GET", path).send().await;
        served(&answer);
        assert_eq!(answer.text(), body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let head = gateway.call("HEAD", path).send().await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(
            head.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = gateway.call(method, path).send().await;
            refused(&answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn every_code_has_a_page_for_people_and_one_for_programs() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let index = gateway.call("GET", "/problems/").send().await;
    served(&index);
    assert_eq!(
        index.value(),
        gateway.call("GET", "/problems").send().await.value()
    );
    let listed = index.value()["problems"].as_array().unwrap().clone();
    let listed: Vec<&str> = listed
        .iter()
        .map(|entry| entry["code"].as_str().unwrap())
        .collect();
    assert_eq!(listed, Code::ALL.map(Code::as_str));
    let list = |path| {
        let call = gateway.call("GET", path);
        call.header("accept", "text/html").send()
    };
    let (people, behind) = (list("/problems").await, list("/problems/").await);
    for code in listed {
        let path = format!("/problems/{code}");
        // Relative, so that both are right behind a prefix of a proxy's as well.
        for (list, link) in [
            (&people, format!("problems/{code}")),
            (&behind, code.to_owned()),
        ] {
            let link = format!("href=\"{link}\"");
            assert!(list.text().contains(&link), "{code}");
        }
        let page = gateway.call("GET", &path).send().await;
        served(&page);
        let page = page.value();
        assert_eq!(page["code"], code);
        assert_eq!(page["type"], format!("http://{}{path}", gateway.address));
        for member in ["title", "detail", "fix", "prevention"] {
            assert!(page[member].as_str().unwrap().len() > 5, "{code} {member}");
        }
        let html = gateway
            .call("GET", &path)
            .header("accept", "text/html,*/*;q=0.8")
            .send()
            .await;
        served(&html);
        assert_eq!(
            html.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(
            html.header("content-security-policy"),
            Some("default-src 'none'; style-src 'unsafe-inline'")
        );
        assert_eq!(html.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(html.header("vary"), Some("Accept"));
        assert!(
            html.text().starts_with("<!doctype html>"),
            "{}",
            html.text()
        );
        let title = page["title"].as_str().unwrap().replace('\'', "&#39;");
        assert!(html.text().contains(&title), "{}", html.text());
    }
    for path in [
        "/problems/nope",
        "/problems/QUOTA_EXHAUSTED",
        "/problems/quota_exhausted/",
        "/problems/quota_exhausted/x",
    ] {
        refused(
            &gateway.call("GET", path).send().await,
            404,
            "route_not_found",
        );
    }
    gateway.stop().await;
}
