//! Windows: RFC 9113 §6.9 (h2spec's http2/6.5.3/1, 6.9.1/1, 6.9.2), and readers that keep theirs shut.

use super::{chat, finish, health, start};
use crate::harness::h2raw::{Wire, flag, kind, settings, window};

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const WINDOW: u16 = 4;

/// The bytes of the next DATA of stream 1.
async fn piece(wire: &mut Wire) -> usize {
    let data = wire.find(|frame| frame.is(kind::DATA, 1)).await;
    data.expect("DATA, not the end").payload.len()
}

#[tokio::test]
async fn no_byte_comes_that_the_window_does_not_allow() {
    let (upstream, gateway) = start().await;
    // 6.9.1/1, and 6.5.3/1: of two values in one frame the second holds.
    for values in [&[(WINDOW, 1)][..], &[(WINDOW, 100), (WINDOW, 1)]] {
        let mut wire = Wire::with(gateway.address, values).await;
        wire.send(&health(1)).await;
        assert_eq!(piece(&mut wire).await, 1);
        // Nothing more comes until the window opens.
        assert!(wire.lives().await);
        wire.send(&window(1, 1)).await;
        assert_eq!(piece(&mut wire).await, 1);
    }

    // 6.9.2/1: a window of nothing, which opens later.
    let mut wire = Wire::with(gateway.address, &[(WINDOW, 0)]).await;
    wire.send(&health(1)).await;
    assert_eq!(wire.answer(1).await, 200);
    assert!(wire.lives().await);
    wire.send(&settings(&[(WINDOW, 1)])).await;
    assert_eq!(piece(&mut wire).await, 1);
    drop(wire);

    // 6.9.2/2: a window that becomes less than nothing, and has to be made up for.
    let mut wire = Wire::with(gateway.address, &[(WINDOW, 2)]).await;
    wire.send(&health(1)).await;
    assert_eq!(piece(&mut wire).await, 2);
    wire.send(&settings(&[(WINDOW, 1)])).await;
    wire.send(&window(1, 1)).await;
    assert!(wire.lives().await);
    wire.send(&window(1, 1)).await;
    assert_eq!(piece(&mut wire).await, 1);
    drop(wire);
    finish(&upstream, gateway).await;
}

/// C-13: of a hundred streams one is not read, and the others are answered all the same.
#[tokio::test]
async fn a_reader_that_stops_stops_nobody_else() {
    let (upstream, gateway) = start().await;
    let mut wire = Wire::with(gateway.address, &[(WINDOW, 0)]).await;
    let streams = (0..100).map(|number| number * 2 + 1);
    let all: Vec<u8> = streams.clone().flat_map(chat).collect();
    wire.send(&all).await;
    let open: Vec<u8> = streams
        .clone()
        .skip(1)
        .flat_map(|stream| window(stream, 100))
        .collect();
    wire.send(&open).await;
    let mut ended = Vec::new();
    while ended.len() < 99 {
        let frame = wire.next().await.unwrap();
        assert!(!frame.is(kind::RST_STREAM, frame.stream), "{frame:?}");
        if frame.kind == kind::DATA && frame.has(flag::END_STREAM) {
            assert_eq!(frame.payload, b"{}");
            ended.push(frame.stream);
        }
    }
    ended.sort_unstable();
    assert!(ended.into_iter().eq(streams.skip(1)));
    wire.send(&window(1, 100)).await;
    assert_eq!(piece(&mut wire).await, 2);
    assert_eq!(upstream.seen().len(), 100);
    gateway.calls(100).await;
    drop(wire);
    finish(&upstream, gateway).await;
}
