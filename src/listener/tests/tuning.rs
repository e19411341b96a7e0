//! Settings that change while connections are open.

use super::{
    harness::{SOON, answer, get, rest, send, serve, settings},
    tls::{connect, with_certificate},
};

#[tokio::test]
async fn the_next_connection_has_other_deadlines_and_an_open_one_its_own() {
    let running = serve(settings());
    let mut open = running.connect().await;
    get(&mut open, "/").await;
    assert!(answer(&mut open).await.ends_with("hello"));

    let mut hasty = settings();
    hasty.timeouts.head = SOON;
    running.tuning.change(hasty);
    send(&mut open, "GET / HTTP/1.1\r\nho").await;
    let mut next = running.connect().await;
    send(&mut next, "GET / HTTP/1.1\r\nho").await;
    assert_eq!(rest(&mut next).await, "", "given up soon");
    send(&mut open, "st: x\r\n\r\n").await;
    assert!(answer(&mut open).await.ends_with("hello"));
}

#[tokio::test]
async fn the_next_connection_is_encrypted_by_another_certificate() {
    let (first, roots) = with_certificate(settings());
    let running = serve(first);
    let mut open = connect(&running, &roots, &[]).await;

    let (second, renewed) = with_certificate(settings());
    running.tuning.change(second);
    let mut next = connect(&running, &renewed, &[b"http/1.1"]).await;
    for client in [&mut next, &mut open] {
        get(client, "/").await;
        assert!(answer(client).await.ends_with("hello"));
    }

    running.tuning.change(settings());
    let mut plain = running.connect().await;
    get(&mut plain, "/").await;
    assert!(answer(&mut plain).await.ends_with("hello"));
    let tls: Vec<bool> = running
        .seen
        .peers
        .borrow()
        .iter()
        .map(|peer| peer.tls)
        .collect();
    assert_eq!(tls, [true, true, false]);
}
