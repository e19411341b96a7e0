//! Requests that two readers could understand differently: refused, or passed on with one meaning.

mod chunks;
mod coding;
mod connection;
mod differential;
mod early;
mod halves;
mod injection;
mod length;
mod lines;
mod probe;
mod request_line;
mod schemes;

use probe::Probe;

/// Every table of requests, by what they are about.
const TABLES: [(&str, &[Probe]); 24] = [
    ("a length and a coding", length::BOTH),
    ("several lengths", length::SEVERAL),
    ("spellings of a length", length::SPELLED),
    ("lengths that do not fit", length::FITTING),
    ("codings without an end", coding::ENDLESS),
    ("more codings than chunked", coding::MORE),
    ("spellings of chunked", coding::SPELLED),
    ("codings and versions", coding::VERSIONS),
    ("sizes of chunks", chunks::SIZES),
    ("lines of chunks", chunks::LINES),
    ("extensions of chunks", chunks::EXTENSIONS),
    ("trailers", chunks::TRAILERS),
    ("ends of lines", lines::ENDS),
    ("lines that go on", lines::FOLDED),
    ("names of fields", lines::NAMES),
    ("values of fields", lines::VALUES),
    ("request lines", request_line::VERSIONS),
    ("methods", request_line::METHODS),
    ("targets", request_line::TARGETS),
    ("hosts", request_line::HOSTS),
    ("requests behind each other", connection::PIPELINED),
    ("expectations", connection::EXPECTED),
    ("upgrades", connection::UPGRADED),
    ("fields of the hop", connection::HOPS),
];

/// What a stricter reader would refuse is listed, and each has its reason: the list is to be read when it changes.
#[test]
fn what_is_tolerated_is_listed() {
    let mut names = std::collections::HashSet::new();
    let (mut list, mut all) = (String::new(), 0);
    for (topic, probes) in TABLES {
        for probe in probes {
            assert!(names.insert((topic, probe.name)), "{topic}: {}", probe.name);
            all += 1;
            if !probe.tolerated.is_empty() {
                list.push_str(&format!("{topic}: {}\n  {}\n", probe.name, probe.tolerated));
            }
        }
    }
    assert!(all > 200, "{all}");
    insta::assert_snapshot!(list);
}
