//! Every type of frame: RFC 9113 §6 (h2spec's http2/6).

use super::{
    Expect, HEALTH, case, chat, chat_head, check, connection::WRONG_SIZE, finish, hanging, health,
    start, streams::ENDED,
};
use crate::harness::h2raw::{
    Wire, block, code, data, flag, frame, headers, kind, ping, reset, settings, window,
};

const PROTOCOL: Expect = Expect::Connection(&[code::PROTOCOL]);

#[tokio::test]
async fn data_and_headers() {
    let whole = block(&HEALTH);
    let begin = headers(flag::END_STREAM, 1, &whole[..9]);
    let overpadded = |text: &[u8]| [&[255], text].concat();
    check(&[
        case(
            "http2/6.1/1 DATA on stream 0",
            &[data(flag::END_STREAM, 0, b"test")],
            PROTOCOL,
        ),
        case(
            "http2/6.1/2 DATA on a stream that is not open",
            &[hanging(1), data(flag::END_STREAM, 1, b"test")],
            Expect::Stream(1, ENDED),
        ),
        case(
            "http2/6.1/3 DATA with more padding than bytes",
            &[
                chat_head(1),
                data(flag::END_STREAM | flag::PADDED, 1, &overpadded(b"test")),
            ],
            PROTOCOL,
        ),
        case(
            "http2/6.2/1 HEADERS without END_HEADERS, then PRIORITY",
            &[begin.clone(), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])],
            PROTOCOL,
        ),
        case(
            "http2/6.2/2 HEADERS without END_HEADERS, then another stream's",
            &[begin, health(3)],
            PROTOCOL,
        ),
        case("http2/6.2/3 HEADERS on stream 0", &[health(0)], PROTOCOL),
        case(
            "http2/6.2/4 HEADERS with more padding than bytes",
            &[headers(flag::WHOLE | flag::PADDED, 1, &overpadded(&whole))],
            PROTOCOL,
        ),
    ])
    .await;
}

#[tokio::test]
async fn priority_and_reset() {
    check(&[
        case(
            "http2/6.3/1 PRIORITY on stream 0",
            &[frame(kind::PRIORITY, 0, 0, &[0, 0, 0, 0, 1])],
            PROTOCOL,
        ),
        case(
            "http2/6.3/2 PRIORITY of another length",
            &[hanging(1), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0])],
            Expect::Stream(1, &[code::FRAME_SIZE, code::PROTOCOL]),
        ),
        case(
            "http2/6.4/1 RST_STREAM on stream 0",
            &[reset(0, code::CANCEL)],
            PROTOCOL,
        ),
        case(
            "http2/6.4/2 RST_STREAM of an idle stream",
            &[reset(1, code::CANCEL)],
            PROTOCOL,
        ),
        case(
            "http2/6.4/3 RST_STREAM of another length",
            &[hanging(1), frame(kind::RST_STREAM, 0, 1, &[0, 0, 0])],
            WRONG_SIZE,
        ),
        case(
            "http2/7/1 GOAWAY with a code that nobody knows",
            &[frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xff])],
            Expect::Connection(&[code::NO_ERROR, 0xff]),
        ),
        case(
            "http2/7/2 RST_STREAM with a code that nobody knows",
            &[hanging(1), reset(1, 0xff)],
            Expect::Nothing,
        ),
    ])
    .await;
}

#[tokio::test]
async fn settings_frames() {
    // RFC 9113 §6.5.2 asks for FLOW_CONTROL_ERROR where the window is too large.
    let window_error = Expect::Connection(&[code::FLOW_CONTROL, code::PROTOCOL]);
    check(&[
        case(
            "http2/6.5/1 an acknowledgement with bytes",
            &[frame(kind::SETTINGS, flag::ACK, 0, &[0; 6])],
            WRONG_SIZE,
        ),
        case(
            "http2/6.5/2 SETTINGS on a stream",
            &[frame(kind::SETTINGS, 0, 1, &[0, 3, 0, 0, 0, 100])],
            PROTOCOL,
        ),
        case(
            "http2/6.5/3 a length that six does not divide",
            &[frame(kind::SETTINGS, 0, 0, &[0, 3, 0])],
            WRONG_SIZE,
        ),
        case(
            "http2/6.5.2/1 ENABLE_PUSH of 2",
            &[settings(&[(2, 2)])],
            PROTOCOL,
        ),
        case(
            "http2/6.5.2/2 INITIAL_WINDOW_SIZE of 2^31",
            &[settings(&[(4, 1 << 31)])],
            window_error,
        ),
        case(
            "http2/6.5.2/3 MAX_FRAME_SIZE of 16,383",
            &[settings(&[(5, 16_383)])],
            PROTOCOL,
        ),
        case(
            "http2/6.5.2/4 MAX_FRAME_SIZE of 2^24",
            &[settings(&[(5, 1 << 24)])],
            PROTOCOL,
        ),
        case(
            "http2/6.5.2/5 a setting that nobody knows",
            &[settings(&[(0xff, 1)]), health(1)],
            Expect::Answer(200),
        ),
    ])
    .await;
}

/// http2/6.5.3/2 and 6.7/1: both are answered, PING with the same bytes.
#[tokio::test]
async fn what_is_acknowledged() {
    let (upstream, gateway) = start().await;
    let mut wire = Wire::open(gateway.address).await;
    // That of the handshake, and one more.
    wire.send(&settings(&[(3, 1)])).await;
    for _ in 0..2 {
        let ack = wire
            .find(|frame| frame.is(kind::SETTINGS, 0))
            .await
            .unwrap();
        assert!(ack.has(flag::ACK) && ack.payload.is_empty(), "{ack:?}");
    }
    wire.send(&ping(b"6.7 one.")).await;
    let pong = wire.find(|frame| frame.is(kind::PING, 0)).await.unwrap();
    assert!(
        pong.has(flag::ACK) && pong.payload == b"6.7 one.",
        "{pong:?}"
    );
    // 6.7/2: an acknowledgement that nobody waits for is none of a question.
    wire.send(&frame(kind::PING, flag::ACK, 0, b"6.7 two."))
        .await;
    wire.send(&ping(b"6.7 next")).await;
    let pong = wire.find(|frame| frame.is(kind::PING, 0)).await.unwrap();
    assert_eq!(pong.payload, b"6.7 next");
    drop(wire);
    finish(&upstream, gateway).await;
}

#[tokio::test]
async fn ping_goaway_and_window() {
    let most = i32::MAX.cast_unsigned();
    check(&[
        case(
            "http2/6.7/3 PING on a stream",
            &[frame(kind::PING, 0, 1, &[0; 8])],
            PROTOCOL,
        ),
        case(
            "http2/6.7/4 PING of another length",
            &[frame(kind::PING, 0, 0, &[0; 7])],
            WRONG_SIZE,
        ),
        case(
            "http2/6.8/1 GOAWAY on a stream",
            &[frame(kind::GOAWAY, 0, 1, &[0; 8])],
            PROTOCOL,
        ),
        case("http2/6.9/1 WINDOW_UPDATE by 0", &[window(0, 0)], PROTOCOL),
        case(
            "http2/6.9/2 WINDOW_UPDATE of a stream by 0",
            &[hanging(1), window(1, 0)],
            Expect::Stream(1, &[code::PROTOCOL]),
        ),
        case(
            "http2/6.9/3 WINDOW_UPDATE of another length",
            &[frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1])],
            WRONG_SIZE,
        ),
        case(
            "http2/6.9.1/2 a window above 2^31 - 1",
            &[window(0, most), window(0, most)],
            Expect::Connection(&[code::FLOW_CONTROL]),
        ),
        case(
            "http2/6.9.1/3 a stream's window above 2^31 - 1",
            &[hanging(1), window(1, most), window(1, most)],
            Expect::Stream(1, &[code::FLOW_CONTROL]),
        ),
        case(
            "http2/6.9.2/3 a first window above 2^31 - 1",
            &[settings(&[(4, u32::MAX)])],
            Expect::Connection(&[code::FLOW_CONTROL, code::PROTOCOL]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn continuation() {
    let whole = block(&HEALTH);
    let parts: Vec<&[u8]> = whole.chunks(whole.len().div_ceil(3)).collect();
    let more = |flags, part: &[u8]| frame(kind::CONTINUATION, flags, 1, part);
    let begin = headers(flag::END_STREAM, 1, parts[0]);
    let late = Expect::Connection(&[code::PROTOCOL, code::STREAM_CLOSED]);
    check(&[
        case(
            "http2/6.10/1 several",
            &[
                begin.clone(),
                more(0, parts[1]),
                more(flag::END_HEADERS, parts[2]),
            ],
            Expect::Answer(200),
        ),
        case(
            "http2/6.10/2 and DATA within the block",
            &[
                begin.clone(),
                more(0, parts[1]),
                data(flag::END_STREAM, 1, b"test"),
            ],
            PROTOCOL,
        ),
        case(
            "http2/6.10/3 on stream 0",
            &[
                begin,
                frame(kind::CONTINUATION, flag::END_HEADERS, 0, parts[1]),
            ],
            PROTOCOL,
        ),
        case(
            "http2/6.10/4 behind a block that has ended",
            &[hanging(1), more(flag::END_HEADERS, parts[1])],
            late,
        ),
        case(
            "http2/6.10/5 behind a CONTINUATION that ended it",
            &[
                headers(flag::END_STREAM, 1, parts[0]),
                more(flag::END_HEADERS, &[parts[1], parts[2]].concat()),
                more(flag::END_HEADERS, parts[1]),
            ],
            PROTOCOL,
        ),
        case(
            "http2/6.10/6 behind DATA",
            &[chat(1), more(flag::END_HEADERS, parts[1])],
            PROTOCOL,
        ),
    ])
    .await;
}
