use super::{InvalidRequestId, RequestId};
use crate::domain::Timestamp;

const WRITTEN: &str = "019aa8f5-0b6e-7cc1-a6b0-0123456789ab";

#[test]
fn it_is_read_as_it_is_written() {
    let id = RequestId::new(Timestamp::from_millis(1_763_640_000_000));
    assert_eq!(id.to_string().parse(), Ok(id));
    let id: RequestId = WRITTEN.parse().unwrap();
    assert_eq!(id.to_string(), WRITTEN);
    assert_eq!(WRITTEN.to_uppercase().parse(), Ok(id));
}

#[test]
fn nothing_else_is_one() {
    for wrong in [
        "",
        "019aa8f50b6e7cc1a6b00123456789ab",
        // As long, with hyphens elsewhere.
        "019aa8f50-b6e-7cc1-a6b0-0123456789ab",
        "----019aa8f50b6e7cc1a6b00123456789ab",
        "019aa8f5-0b6e-7cc1-a6b0-0123456789a",
        "019aa8f5-0b6e-7cc1-a6b0-0123456789abc",
        "019aa8f5-0b6e-7cc1-a6b0-0123456789ag",
        "019aa8f5-0b6e-7cc1-a6b0-0123456789\u{e4}",
    ] {
        assert_eq!(wrong.parse::<RequestId>(), Err(InvalidRequestId), "{wrong}");
    }
}
