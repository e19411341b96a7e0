use http_body_util::BodyExt;

use super::{Daemon, KEY, STREAM, provider, replay, within, yaml};

#[tokio::test]
async fn a_shutdown_settles_every_stream() {
    const STREAMS: usize = 30;
    for durability in ["grouped", "strict"] {
        let (upstream, _) = provider().await;
        let store = format!("in_flight: 64, durability: {durability}");
        let mut daemon = Daemon::start(&yaml(&upstream, &store)).await;
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let mut stream = daemon.chat(KEY, STREAM).open().await;
            within("an event", stream.frame()).await.unwrap().unwrap();
            streams.push(stream);
        }
        daemon.signal("TERM");
        let draining = |text: &str| text.starts_with("draining");
        daemon
            .logs(|line| line["message"].as_str().is_some_and(draining))
            .await;
        daemon.signal("TERM");
        for mut stream in streams {
            let mut rest = Vec::new();
            while let Some(frame) = within("a frame", stream.frame()).await {
                rest.extend_from_slice(frame.unwrap().data_ref().unwrap());
            }
            let rest = String::from_utf8(rest).unwrap();
            assert!(rest.contains("\"code\":\"draining\""), "{rest}");
        }
        let (status, folder) = daemon.ended().await;
        assert_eq!(status.code(), Some(0));
        replay(folder.path(), STREAMS);
        // Nothing is left for the next start.
        let slots = std::fs::read(folder.path().join("faregate.db.inflight")).unwrap();
        assert!(slots[4096..].iter().all(|byte| *byte == 0));
    }
}
