//! `faregate health` beside daemons that do not answer as they should.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use tokio::{net::TcpListener, time::Instant};

use super::{
    Variables, clock,
    stopped::{CONFIG, directory_with},
    type_in,
};
use crate::cli::{Exit, Failure, Terminal, check};

fn with_both(admin: SocketAddr, public: SocketAddr) -> String {
    format!(
        "{CONFIG}\nadmin: {{listen: \"{admin}\", token: 0123456789abcdef0123456789abcdef}}\nserver: {{listen: \"{public}\"}}\n"
    )
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

async fn probed(config: &str) -> Result<(), Failure> {
    let (_directory, file) = directory_with(config);
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::captured(&mut out, &mut notes);
    check::health(Ok(file), &Variables::default(), &mut terminal).await
}

async fn asked(config: &str) -> Failure {
    probed(config).await.unwrap_err()
}

/// Whoever probes has a limit of its own, and ends a probe that says nothing until then.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_not_waited_for() {
    let listeners = [
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    ];
    let [hangs, too] = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap());
    for config in [
        with_both(hangs, nobody()),
        with_both(nobody(), hangs),
        with_both(hangs, too),
        format!("{}\nplanz: {{}}\n", with_both(hangs, nobody())),
    ] {
        let began = Instant::now();
        let failure = asked(&config).await;
        assert_eq!(failure.exit, Exit::Failed, "{failure}");
        assert!(
            began.elapsed().as_secs() <= 3,
            "{:?}: {failure}",
            began.elapsed()
        );
        assert!(failure.message.contains(&hangs.to_string()), "{failure}");
        assert!(failure.message.contains("within 3 seconds"), "{failure}");
    }
}

/// Somebody else may have the address of a changed `admin.listen`, and never answer.
#[tokio::test]
async fn a_listener_that_hangs_leaves_the_other_its_time() {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ready = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = with_both(hangs.local_addr().unwrap(), ready.local_addr().unwrap());
    let public = std::thread::spawn(move || {
        let (mut stream, _) = ready.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0, "it is asked");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    });
    probed(&config).await.unwrap();
    public.join().unwrap();
}

/// Where both `listen` were changed, the daemon is where the file no longer says.
#[test]
fn a_daemon_that_is_elsewhere_is_thought_of() {
    let (admin, public) = (nobody(), nobody());
    let (_directory, file) = directory_with(&with_both(admin, public));
    let said = type_in(&file, "health", &clock());
    assert_eq!(said.exit, Exit::Failed, "{said}");
    for words in [
        admin.to_string(),
        public.to_string(),
        "Connection refused".to_owned(),
    ] {
        assert!(said.notes.contains(&words), "{said}");
    }
    assert!(said.notes.contains("\n  hint: "), "{said}");
    assert!(
        said.notes
            .contains("a changed `listen` is in force after a restart"),
        "{said}"
    );
}
