//! What every server does with what every client sends: h2spec's part "generic".

use super::{BODY, Case, Expect, HEALTH, after, case, chat, chat_head, check, hanging, health};
use crate::harness::h2raw::{
    block, code, data, flag, frame, headers, kind, ping, reset, settings, window,
};

/// PRIORITY of a stream: what it depends on, and its weight less one.
fn priority(stream: u32, on: u32, weight: u8) -> Vec<u8> {
    let mut payload = on.to_be_bytes().to_vec();
    payload.push(weight);
    frame(kind::PRIORITY, flag::NONE, stream, &payload)
}

#[tokio::test]
async fn streams() {
    check(&[
        case(
            "generic/1 a preface and a question",
            &[health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/2/1 PRIORITY of an idle stream",
            &[priority(1, 0, 15), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/2/2 WINDOW_UPDATE of a half-closed stream",
            &[hanging(1), window(1, 100)],
            Expect::Nothing,
        ),
        case(
            "generic/2/3 PRIORITY of a half-closed stream",
            &[hanging(1), priority(1, 0, 15)],
            Expect::Nothing,
        ),
        case(
            "generic/2/4 RST_STREAM of a half-closed stream",
            &[hanging(1), reset(1, code::CANCEL)],
            Expect::Nothing,
        ),
        after(
            "generic/2/5 PRIORITY of a closed stream",
            &[health(1)],
            &[priority(1, 0, 15)],
            Expect::Nothing,
        ),
    ])
    .await;
}

#[tokio::test]
async fn frames() {
    let padded = |text: &[u8]| [&[3], text, b"\0\0\0"].concat();
    let (start, rest) = BODY.as_bytes().split_at(9);
    let whole = block(&HEALTH);
    let prioritised = [&0_u32.to_be_bytes()[..], &[15], &whole].concat();
    let (first, second) = whole.split_at(5);
    let (second, third) = second.split_at(5);
    let more = |flags, part: &[u8]| frame(kind::CONTINUATION, flags, 1, part);
    check(&[
        case("generic/3.1/1 DATA", &[chat(1)], Expect::Answer(200)),
        case(
            "generic/3.1/2 several DATA",
            &[
                chat_head(1),
                data(flag::NONE, 1, start),
                data(flag::END_STREAM, 1, rest),
            ],
            Expect::Answer(200),
        ),
        case(
            "generic/3.1/3 DATA with padding",
            &[
                chat_head(1),
                data(flag::END_STREAM | flag::PADDED, 1, &padded(BODY.as_bytes())),
            ],
            Expect::Answer(200),
        ),
        case("generic/3.2/1 HEADERS", &[health(1)], Expect::Answer(200)),
        case(
            "generic/3.2/2 HEADERS with padding",
            &[headers(flag::WHOLE | flag::PADDED, 1, &padded(&whole))],
            Expect::Answer(200),
        ),
        case(
            "generic/3.2/3 HEADERS with priority",
            &[headers(flag::WHOLE | flag::PRIORITY, 1, &prioritised)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.3/1 PRIORITY with weight 1",
            &[priority(1, 0, 0), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.3/2 PRIORITY with weight 256",
            &[priority(1, 0, 255), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.3/3 PRIORITY with a dependency",
            &[priority(1, 3, 15), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.3/4 PRIORITY with an exclusive dependency",
            &[priority(1, 3 | 1 << 31, 15), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.3/5 PRIORITY of a higher stream, then a lower one",
            &[priority(5, 0, 15), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.4 RST_STREAM",
            &[hanging(1), reset(1, code::CANCEL)],
            Expect::Nothing,
        ),
        case(
            "generic/3.5 SETTINGS",
            &[settings(&[(3, 100)]), health(1)],
            Expect::Answer(200),
        ),
        case("generic/3.7 PING", &[ping(b"generic7")], Expect::Nothing),
        case(
            "generic/3.8 GOAWAY",
            &[frame(kind::GOAWAY, flag::NONE, 0, &[0; 8])],
            // A client that says goodbye and has nothing open is told the same, without an error.
            Expect::Connection(&[code::NO_ERROR]),
        ),
        case(
            "generic/3.9/1 WINDOW_UPDATE of the connection",
            &[window(0, 1), health(1)],
            Expect::Answer(200),
        ),
        case(
            "generic/3.9/2 WINDOW_UPDATE of a stream",
            &[hanging(1), window(1, 1)],
            Expect::Nothing,
        ),
        case(
            "generic/3.10/1 CONTINUATION",
            &[
                headers(flag::END_STREAM, 1, first),
                more(flag::END_HEADERS, &[second, third].concat()),
            ],
            Expect::Answer(200),
        ),
        case(
            "generic/3.10/2 several CONTINUATION",
            &[
                headers(flag::END_STREAM, 1, first),
                more(flag::NONE, second),
                more(flag::END_HEADERS, third),
            ],
            Expect::Answer(200),
        ),
    ])
    .await;
}

#[tokio::test]
async fn exchanges() {
    let mut head = HEALTH;
    head[0].1 = "HEAD";
    let trailers = headers(flag::WHOLE, 1, &block(&[("x-trailer", "1")]));
    let cases: [Case; 4] = [
        case("generic/4/1 GET", &[health(1)], Expect::Answer(200)),
        case(
            "generic/4/2 HEAD",
            &[headers(flag::WHOLE, 1, &block(&head))],
            Expect::Answer(200),
        ),
        case("generic/4/3 POST", &[chat(1)], Expect::Answer(200)),
        case(
            "generic/4/4 POST with trailers",
            &[chat_head(1), data(flag::NONE, 1, BODY.as_bytes()), trailers],
            Expect::Answer(200),
        ),
    ];
    check(&cases).await;
}
