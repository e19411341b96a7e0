use http_body_util::BodyExt;

use super::{
    CHAT, DONE, Daemon, KEY, STREAM, nothing_held, provider, replay, served_again, within, yaml,
};

#[tokio::test]
async fn the_call_after_the_last_place_is_refused_before_it_is_sent_and_places_come_back() {
    // An account alone leaves 8 % of 64 for others.
    const PLACES: usize = 59;
    for durability in ["grouped", "strict"] {
        let (upstream, gate) = provider().await;
        let store = format!("in_flight: 64, durability: {durability}");
        let daemon = Daemon::start(&yaml(&upstream, &store)).await;
        let mut streams = Vec::new();
        for _ in 0..PLACES {
            let mut stream = daemon.chat(KEY, STREAM).open().await;
            assert_eq!(stream.status(), 200);
            within("an event", stream.frame()).await.unwrap().unwrap();
            streams.push(stream);
        }
        for body in [CHAT, STREAM] {
            let refused = daemon.chat(KEY, body).send().await;
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert_eq!(refused.code(), "overloaded");
        }
        assert_eq!(upstream.seen().len(), PLACES);

        // One leaves, and another takes its place as soon as it is recorded.
        drop(streams.pop());
        served_again(&daemon).await;
        // The one that left may not be gone upstream yet.
        gate.open();
        for mut stream in streams {
            gate.open();
            let rest = within("the rest", async {
                let mut rest = Vec::new();
                while let Some(frame) = stream.frame().await {
                    rest.extend_from_slice(frame.unwrap().data_ref().unwrap());
                }
                rest
            });
            assert!(rest.await.ends_with(DONE.as_bytes()));
        }
        nothing_held(&daemon).await;
        daemon.signal("TERM");
        let (status, folder) = daemon.ended().await;
        assert_eq!(status.code(), Some(0));
        replay(folder.path(), PLACES + 1);
    }
}
