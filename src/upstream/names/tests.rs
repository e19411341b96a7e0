use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

use futures_util::{FutureExt, future::join_all};
use tokio::time::advance;

use super::{AGAIN, AT_ONCE, Name};

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 443);

/// A resolver that hangs: it tells of each lookup, which gets its answer by hand.
struct Hanging {
    begun: Receiver<Sender<io::Result<Vec<SocketAddr>>>>,
}

impl Hanging {
    fn new() -> (Name, Self) {
        let (begins, begun) = channel();
        let begins = Mutex::new(begins);
        let name = Name::resolved("provider.example", 443, move |host, port| {
            assert_eq!((host, port), ("provider.example", 443));
            let (answers, answer) = channel();
            begins.lock().unwrap().send(answers).unwrap();
            answer.recv().unwrap()
        });
        (name, Self { begun })
    }

    fn next(&self) -> Sender<io::Result<Vec<SocketAddr>>> {
        self.begun.recv().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_the_resolver_hangs_waits_for_the_same_few_lookups() {
    let (name, resolver) = Hanging::new();
    let mut waiting = Vec::new();
    let mut lookups = Vec::new();
    for _ in 0..2 * AT_ONCE {
        for _ in 0..100 {
            let mut asked = name.addresses().boxed();
            assert!(asked.as_mut().now_or_never().is_none());
            waiting.push(asked);
        }
        if lookups.len() < AT_ONCE {
            lookups.push(resolver.next());
        }
        advance(AGAIN).await;
    }
    assert_eq!(name.shared.under_way().lookups, AT_ONCE);
    assert!(resolver.begun.try_recv().is_err());
    // What one of them says is for all, unless it gives up while others may find it.
    lookups
        .pop()
        .unwrap()
        .send(Err(io::ErrorKind::TimedOut.into()))
        .unwrap();
    lookups.pop().unwrap().send(Ok(vec![ADDRESS])).unwrap();
    for found in join_all(waiting).await {
        assert_eq!(*found.unwrap(), [ADDRESS]);
    }
    drop(lookups);
}

#[tokio::test]
async fn a_name_is_looked_up_anew_for_whoever_comes_later() {
    let (name, resolver) = Hanging::new();
    for answer in [Ok(vec![ADDRESS]), Err(io::ErrorKind::NotFound), Ok(vec![])] {
        let (found, ()) = tokio::join!(name.addresses(), async {
            let answer = answer.clone().map_err(io::Error::from);
            resolver.next().send(answer).unwrap();
        });
        match answer {
            Ok(addresses) => assert_eq!(*found.unwrap(), addresses),
            Err(kind) => assert_eq!(found.unwrap_err().kind(), kind),
        }
    }
}

#[tokio::test]
async fn an_address_is_not_looked_up_and_a_panic_is_an_error() {
    let resolver = |_: &str, _| -> io::Result<Vec<SocketAddr>> { panic!("a resolver that fails") };
    for host in ["127.0.0.1", "::1"] {
        let found = Name::resolved(host, 443, resolver).addresses().await;
        assert_eq!(found.unwrap()[0].ip().to_string(), host);
    }
    let found = Name::resolved("x", 1, resolver).addresses().await;
    assert_eq!(found.unwrap_err().kind(), io::ErrorKind::Other);
    let found = Name::new("localhost", 1).addresses().await.unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback()));
}
