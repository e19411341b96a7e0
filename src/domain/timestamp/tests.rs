use super::Timestamp;

#[test]
fn the_end_of_the_last_year_is_the_end_of_time() {
    let end = "9999-12-30T22:00:00Z";
    for never in [
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T12:00:00+14:00",
        "9999-12-30T23:00:00-01:00",
    ] {
        let read: Timestamp = never.parse().unwrap();
        assert_eq!(read.to_string(), end, "{never}");
        assert_eq!(read.to_string().parse(), Ok(read), "{never}");
    }
    let day = Timestamp::parse_or_day("9999-12-31").unwrap();
    assert_eq!(day.to_string(), end);
    for wrong in [
        "9999-12-31T23:59:59",
        "9999-12-32T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T25:00:00Z",
        "-9999-01-01T00:00:00Z",
    ] {
        assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
    }
}
