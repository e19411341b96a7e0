use std::{
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use super::{Daemon, LINES, Obstacle, load};

/// It serves, and is gone before it has answered anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_ends_by_itself_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serves = format!(r#"{{"message":"faregate serves","address":"{address}"}}"#);
    let mut shell = Command::new("sh");
    let script = format!("echo '{serves}' >&2; echo 'out of everything' >&2; exit 3");
    shell.args(["-c", &script]);
    let daemon = Daemon::begun(shell).await.unwrap();
    let hangs_up = std::thread::spawn(move || {
        for _ in 0..LINES {
            drop(listener.accept().unwrap());
        }
    });
    let began = Instant::now();
    let ended = load(daemon, Duration::from_secs(60)).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30), "{ended}");
    hangs_up.join().unwrap();
    assert!(matches!(ended, Obstacle::Ended { .. }), "{ended}");
    let said = ended.to_string();
    assert!(said.contains("exit status: 3"), "{said}");
    assert!(said.contains("out of everything"), "{said}");
}
