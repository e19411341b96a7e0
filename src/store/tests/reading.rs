use std::time::Duration;

use crate::{
    accounts::{Draw, Draws, PlanVersion},
    domain::{Feature, Features, ModelName, NanoUsd, ServiceTier},
    prices::{Factor, Pico},
    store::{
        Agreed, CallFilter, Cursor, EntryKind, GroupBy, LONGEST_PAGE, NewEntry, Outcome, Reader,
        Store, USUAL_PRIORITY, UsageQuery, UsageRow,
        tests::{Bench, START, account_id, call_id, flushed, in_memory, key_id, post, posting},
    },
};

/// Twelve calls over three days: every third is bob's and of no model, every fourth failed and is estimated.
fn post_some(store: &Store) {
    let calls = (0..12).map(|number| {
        let mut posting = posting(number);
        let call = &mut posting.call;
        call.at = START.plus(Duration::from_secs(number / 4 * 86_400));
        if number % 3 == 0 {
            call.account = account_id("bob");
            call.key = key_id("bob-laptop");
            call.model = None;
        }
        if number % 4 == 0 {
            call.outcome = Outcome::UpstreamFailed;
            call.estimated = true;
            call.usage.input = 1_000;
        }
        posting
    });
    post(store, calls);
}

async fn numbers(store: &Store, filter: CallFilter) -> Vec<u64> {
    let page = store.calls(filter).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let all: Vec<_> = (0..12).map(call_id).collect();
    let number = |id| all.iter().position(|other| *other == id).unwrap();
    let numbers = page.data.iter().map(|call| number(call.id));
    numbers
        .map(|number| u64::try_from(number).unwrap())
        .collect()
}

#[tokio::test]
async fn calls_are_found_by_what_they_are() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post_some(&store);
    flushed(&store).await;
    let all = CallFilter::default;
    assert_eq!(
        numbers(&store, all()).await,
        [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    );
    let account = Some(account_id("bob"));
    assert_eq!(
        numbers(&store, CallFilter { account, ..all() }).await,
        [9, 6, 3, 0]
    );
    let key = Some(key_id("bob-laptop"));
    assert_eq!(
        numbers(&store, CallFilter { key, ..all() }).await,
        [9, 6, 3, 0]
    );
    let model = ModelName::parse("small").ok();
    assert_eq!(
        numbers(&store, CallFilter { model, ..all() }).await,
        [11, 10, 8, 7, 5, 4, 2, 1]
    );
    let outcome = Some(Outcome::UpstreamFailed);
    assert_eq!(
        numbers(&store, CallFilter { outcome, ..all() }).await,
        [8, 4, 0]
    );
    // From the second day on, before the third.
    let day = |number: u64| Some(START.plus(Duration::from_secs(number * 86_400)));
    let second = CallFilter {
        since: day(1),
        until: day(2),
        ..all()
    };
    assert_eq!(numbers(&store, second.clone()).await, [7, 6, 5, 4]);
    let narrow = CallFilter {
        account: Some(account_id("acme")),
        outcome,
        ..second
    };
    assert_eq!(numbers(&store, narrow).await, [4]);
    store.close().await;
}

#[tokio::test]
async fn pages_have_every_call_once() {
    let store = in_memory();
    post_some(&store);
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let filter = CallFilter {
            limit: 5,
            cursor,
            ..CallFilter::default()
        };
        let page = store.calls(filter).await.unwrap();
        pages.push(
            page.data
                .into_iter()
                .map(|call| call.id)
                .collect::<Vec<_>>(),
        );
        let Some(next) = page.next_cursor else { break };
        // As it goes through somebody's hands.
        cursor = Some(next.to_string().parse::<Cursor>().unwrap());
        // What comes in meanwhile is newer and moves nothing.
        let mut newer = posting(100 + u64::try_from(pages.len()).unwrap());
        newer.call.at = START.plus(Duration::from_secs(900_000));
        post(&store, [newer]);
    }
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [5, 5, 2]);
    let expected: Vec<_> = (0..12).rev().map(call_id).collect();
    assert_eq!(pages.concat(), expected);
    store.close().await;
}

#[tokio::test]
async fn a_page_ends_at_its_limit_whatever_is_asked() {
    let store = in_memory();
    post(&store, (0..1001).map(posting));
    for (limit, length) in [(0, 1), (1, 1), (1000, 1000), (usize::MAX, LONGEST_PAGE)] {
        let filter = CallFilter {
            limit,
            ..CallFilter::default()
        };
        let page = store.calls(filter).await.unwrap();
        assert_eq!(page.data.len(), length);
        assert!(page.next_cursor.is_some());
    }
    store.close().await;
}

#[test]
fn a_cursor_of_somebodys_own_is_refused() {
    for text in [
        "",
        ".",
        "1",
        "1.2",
        "x.01932d3a-0000-7000-8000-000000000001",
    ] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_call_is_read_as_it_was_posted_and_written_as_an_export_row() {
    let store = in_memory();
    let mut failed = posting(2);
    failed.call.outcome = Outcome::ClientClosed;
    failed.call.model = None;
    failed.call.first_byte_ms = None;
    failed.call.end_user = None;
    failed.call.idempotency_key = Some("7f".to_owned());
    post(&store, [posting(1), failed]);
    let page = store.calls(CallFilter::default()).await.unwrap();
    let [failed, whole] = &page.data[..] else {
        panic!("two calls were posted: {page:?}");
    };
    assert!(whole.stream);
    assert_eq!(whole.end_user.as_deref(), Some("ann"));
    assert_eq!((whole.held_tokens, whole.attempt), (100, 1));
    assert_eq!(failed.idempotency_key.as_deref(), Some("7f"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&page).unwrap());
    store.close().await;
}

fn table(rows: &[UsageRow]) -> String {
    let line = |row: &UsageRow| {
        let UsageRow {
            group,
            calls,
            estimated_calls,
            tokens,
            cost,
            currency: _,
        } = row;
        let cost = cost.map_or_else(String::new, |cost| format!(", {cost} USD"));
        let group = group.as_deref().unwrap_or("(none)");
        format!("{group}: {calls} calls, {estimated_calls} estimated, {tokens:?}{cost}")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn usage_is_put_together_by_each_group() {
    let store = in_memory();
    post_some(&store);
    let mut tables = Vec::new();
    for by in GroupBy::ALL {
        let rows = store.usage(UsageQuery::by(by)).await.unwrap();
        tables.push(format!("-- {}\n{}", by.as_str(), table(&rows)));
    }
    let narrow = UsageQuery {
        account: Some(account_id("acme")),
        key: Some(key_id("acme-ci")),
        model: ModelName::parse("small").ok(),
        since: Some(START),
        until: Some(START.plus(Duration::from_secs(86_400))),
        ..UsageQuery::by(GroupBy::Day)
    };
    let rows = store.usage(narrow).await.unwrap();
    tables.push(format!("-- of acme on the first day\n{}", table(&rows)));
    insta::assert_snapshot!(tables.join("\n"));
    store.close().await;
}

#[tokio::test]
async fn an_absurd_usage_spoils_no_sum() {
    let store = in_memory();
    for number in 0..3 {
        let mut absurd = posting(number);
        absurd.call.usage.input = u64::MAX;
        post(&store, [absurd]);
    }
    let rows = store.usage(UsageQuery::by(GroupBy::Account)).await.unwrap();
    assert_eq!(rows[0].tokens.input, 3 * ((1 << 53) - 1));
    store.close().await;
}

#[tokio::test]
async fn one_call_is_read_with_all_that_explains_it() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let top_up = NewEntry {
        id: Some("first".to_owned()),
        account: account_id("acme"),
        kind: EntryKind::TopUp,
        amount: NanoUsd::from_nanos(300),
        author: "cli".to_owned(),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: None,
    };
    let lot = store.post_entry(top_up, Draws::new()).await.unwrap().number;
    let plain = posting(1);
    let mut priced = posting(2);
    let mut features = Features::NONE;
    features.insert(Feature::WebSearch);
    priced.call.agreed = Some(Agreed {
        output_limit: 500,
        written: true,
        answers: 3,
        factor: Factor::parse("1.2").unwrap(),
        per_request: Pico::parse("0.005").unwrap(),
        service_tier: ServiceTier::parse("flex"),
        features,
        plan_version: Some(PlanVersion::from_bytes([0x1f, 0, 0xab, 9])),
    });
    priced.call.cost = Some(NanoUsd::from_nanos(350));
    priced.credit = Some(
        [Draw {
            entry: lot,
            amount: NanoUsd::from_nanos(300),
        }]
        .into_iter()
        .collect(),
    );
    post(&store, [plain, priced]);
    flushed(&store).await;
    assert_eq!(store.call(call_id(7)).await, Ok(None));
    let shown = async |number| {
        let call = store.call(call_id(number)).await.unwrap().unwrap();
        serde_json::to_string_pretty(&call).unwrap()
    };
    let (plain, priced) = (shown(1).await, shown(2).await);
    insta::assert_snapshot!(format!("{plain}\n{priced}"));
    let reader = Reader::open(&bench.file()).unwrap();
    let read = reader.call(call_id(2)).unwrap();
    assert_eq!(read, store.call(call_id(2)).await.unwrap());
    store.close().await;
}
