//! Keys about the daemon itself.

use super::{COUNT, IMPLIED, Kind, SPAN, Section, deferred, key, one_of};

pub(crate) static SERVER: Section = Section {
    name: "server",
    doc: "The public listener.",
    keys: &[
        key(
            "listen",
            Kind::Address,
            "The IP address and port to listen on; port 0 takes a free one.",
        )
        .or("127.0.0.1:8402"),
        key(
            "public_url",
            Kind::Url,
            "The address clients know this gateway by, used in links. Default: http:// and the listen address.",
        ),
        key(
            "tls",
            Kind::Section(&TLS),
            "Certificate and key to serve HTTPS with. Without this section the listener speaks plain HTTP.",
        ),
        key(
            "trusted_proxies",
            Kind::List(&Kind::Network),
            "Networks of proxies whose X-Forwarded-For is believed.",
        ),
        key(
            "limits",
            Kind::Section(&LIMITS),
            "Bounds of connections and requests.",
        )
        .or(IMPLIED),
        key(
            "timeouts",
            Kind::Section(&TIMEOUTS),
            "Deadlines for clients.",
        )
        .or(IMPLIED),
        key("http2", Kind::Section(&HTTP2), "HTTP/2's own bounds.").or(IMPLIED),
        key(
            "drain",
            SPAN,
            "How long calls under way may take after a stop signal before they are ended.",
        )
        .or("120s"),
        key(
            "cors",
            Kind::Section(&CORS),
            "Which web pages may call from a browser.",
        )
        .or(IMPLIED),
    ],
};

static TLS: Section = Section {
    name: "tls",
    doc: "Certificate and key of the public listener.",
    keys: &[
        key(
            "certificate",
            Kind::Path,
            "PEM file with the certificate and its chain, the server's own certificate first.",
        )
        .required(),
        key(
            "private_key",
            Kind::Path,
            "PEM file with the certificate's private key.",
        )
        .required(),
        deferred(
            "client_ca",
            "is not supported yet: client certificates come with a later version; remove it",
        ),
    ],
};

static LIMITS: Section = Section {
    name: "server_limits",
    doc: "Bounds of connections and requests.",
    keys: &[
        key(
            "connections",
            COUNT,
            "Connections served at once; further ones wait.",
        )
        .or("10000"),
        key(
            "connection_requests",
            COUNT,
            "Requests on one HTTP/1 connection; it is closed after the last.",
        )
        .or("1000"),
        key(
            "head",
            Kind::Size { least: 1024 },
            "Bytes of a request's head.",
        )
        .or("16KiB"),
        key(
            "fields",
            Kind::Integer {
                least: 1,
                most: 10_000,
            },
            "Header fields of a request.",
        )
        .or("100"),
        key(
            "target",
            Kind::Size { least: 64 },
            "Bytes of a request's path and query.",
        )
        .or("8KiB"),
        key(
            "json_body",
            Kind::Size { least: 1 },
            "Bytes of a body that has to be read before it is forwarded.",
        )
        .or("32MiB"),
        key(
            "upload_body",
            Kind::Size { least: 1 },
            "Bytes of a body that is passed on as it comes.",
        )
        .or("256MiB"),
        key(
            "wrong_keys_per_second",
            Kind::Integer {
                least: 0,
                most: 1_000_000,
            },
            "Unknown keys that one address (of IPv6, one /64) may present each second before it gets 429; 0 allows all. A known key from that address is served all the same.",
        )
        .or("20"),
        key(
            "wrong_keys_at_once",
            Kind::Integer {
                least: 1,
                most: 1_000_000,
            },
            "Unknown keys that such an address may present at once, after a silence.",
        )
        .or("50"),
        key(
            "buffered_bodies",
            Kind::Size { least: 1 << 20 },
            "Bytes of all bodies that are held in memory at once, and of answers that are kept until they are settled; beyond it, calls are refused with 503, and answers of more than 16 KiB are charged by our own count. Default: a quarter of `memory`, or else of the machine's, at most 1GiB.",
        ),
        key(
            "memory",
            Kind::Size { least: 64 << 20 },
            "Bytes of memory for the whole process; near it, calls are refused with 503. Default: the limit of the control group (a container's), where there is one.",
        ),
    ],
};

static TIMEOUTS: Section = Section {
    name: "server_timeouts",
    doc: "Deadlines for clients.",
    keys: &[
        key("tls", SPAN, "The TLS handshake.").or("10s"),
        key("head", SPAN, "A whole request head.").or("10s"),
        key("body_idle", SPAN, "Silence within a request body.").or("30s"),
        key("body_total", SPAN, "A whole request body.").or("300s"),
        key(
            "write_stall",
            SPAN,
            "How long a client may read nothing of an answer.",
        )
        .or("60s"),
        key("keep_alive", SPAN, "How long an idle connection is kept.").or("75s"),
        key(
            "connection_age",
            Kind::Duration {
                zero: false,
                never: Some("forever"),
            },
            "How long any connection is kept, a tenth more or less, so that clients come back through the load balancer; `forever` keeps them.",
        )
        .or("1h"),
        key(
            "lateness",
            Kind::Duration {
                zero: true,
                never: Some("off"),
            },
            "How late the daemon may be with its own timers, four times in a row, before it refuses calls with 503; from half of it on, those of accounts with most under way. `off` never refuses for it.",
        )
        .or("10s"),
    ],
};

static HTTP2: Section = Section {
    name: "http2",
    doc: "HTTP/2's own bounds.",
    keys: &[
        key("streams", COUNT, "Concurrent requests on one connection.").or("100"),
        key(
            "idle",
            SPAN,
            "How long a connection without requests is kept.",
        )
        .or("300s"),
        key("ping", SPAN, "How often a silent connection is pinged.").or("30s"),
    ],
};

static CORS: Section = Section {
    name: "cors",
    doc: "Which web pages may call from a browser.",
    keys: &[key(
        "origins",
        Kind::List(&Kind::Text),
        "Origins such as https://app.example.com, or \"*\" alone for every page. Empty: no page may.",
    )],
};

pub(crate) static ADMIN: Section = Section {
    name: "admin",
    doc: "The admin listener.",
    keys: &[
        key(
            "listen",
            Kind::Address,
            "The IP address and port of the admin API and the metrics; never the public one.",
        )
        .or("127.0.0.1:8403"),
        key(
            "token",
            Kind::Secret,
            "The bearer token of the admin API, at least 32 bytes.",
        )
        .required(),
    ],
};

pub(crate) static STORE: Section = Section {
    name: "store",
    doc: "Where accounts, keys, counters and call records are kept.",
    keys: &[
        key(
            "url",
            Kind::Text,
            "sqlite:<file>, or sqlite::memory: for a trial that keeps nothing.",
        )
        .or("sqlite:faregate.db"),
        key(
            "durability",
            one_of(&["grouped", "strict"]),
            "grouped commits many calls at once, and a power cut may lose the last group; strict waits for the disk before each call is sent and before its answer ends, for five seconds at most.",
        )
        .or("grouped"),
        key(
            "retention",
            Kind::Section(&RETENTION),
            "How long records are kept.",
        )
        .or(IMPLIED),
        key(
            "in_flight",
            Kind::Integer {
                least: 64,
                most: 1 << 20,
            },
            "Calls that may be under way at once. From 92 % of them on, accounts with more than their share get no new ones, from 95 % on nobody does: 503. Each has a kilobyte beside the store, reserved at the start, so that a killed daemon loses none.",
        )
        .or("16384"),
    ],
};

static RETENTION: Section = Section {
    name: "retention",
    doc: "How long records are kept.",
    keys: &[key(
        "calls",
        Kind::Duration {
            zero: false,
            never: Some("forever"),
        },
        "Call records; `forever` keeps them all.",
    )
    .or("400d")],
};

pub(crate) static STREAMING: Section = Section {
    name: "streaming",
    doc: "How streamed answers behave.",
    keys: &[key(
        "heartbeat",
        Kind::Duration {
            zero: true,
            never: Some("off"),
        },
        "How often a silent stream sends a comment, so that proxies in between keep it open; `off` never.",
    )
    .or("15s")],
};

pub(crate) static LOG: Section = Section {
    name: "log",
    doc: "The format of the log.",
    keys: &[key(
        "format",
        one_of(&["auto", "json", "pretty"]),
        "auto is pretty on a terminal and JSON elsewhere.",
    )
    .or("auto")],
};
