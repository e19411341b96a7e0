//! Budgets and credit: what a call takes of them at once, what it holds, and what it gives back.

use proptest::prelude::{ProptestConfig, Strategy as _, prop_assert, prop_assert_eq, prop_oneof};

use super::{
    Accounts, Binding, Clock, Duration, Key, Limits, Mode, Output, Per, Reason, Scope, Settled,
    Taken, Unit, Wanted, at, clock, counts, hold, key, proptest, quota, quotas, roster, wanted,
};
use crate::{
    accounts::{
        Credit, CreditRow, Lot, Roster,
        fixtures::{account, cost, lot, priced, terms},
    },
    domain::NanoUsd,
    prices::Terms,
};

/// A budget for each day, in billionths of a dollar.
pub(super) fn budget(limit: u64) -> Limits {
    quotas(&[quota(Unit::Usd, Per::Day, limit)])
}

/// One plan with credit and the accounts on it, with so much of it.
pub(super) fn credited(roster: Roster, nanos: i64, clock: &Clock) -> Accounts {
    let mut roster = roster;
    roster.plans[0].credit_required = true;
    let accounts = Accounts::new(clock.clone(), Vec::new());
    accounts.publish(roster);
    accounts.add_lot(&account(), lot(1, nanos));
    accounts
}

/// No limits beside credit.
pub(super) fn unlimited() -> Roster {
    let none = Limits::default;
    roster(none(), none(), none(), none())
}

/// A call that costs so much whatever it uses.
pub(super) fn fixed(nanos: u64) -> Wanted {
    priced(wanted(0, 0), &terms(nanos, 0, 0))
}

/// A call of so many tokens, each at a billionth of a dollar.
fn tokens(input: u64, output: u64) -> Wanted {
    priced(wanted(input, output), &terms(0, 1, 1))
}

fn settle(key: &Key, taken: Taken, settled: Settled, clock: &Clock) {
    key.account.book.settle(taken, settled, clock);
}

fn why(result: Result<Taken, Binding>) -> (Reason, Scope) {
    let bound = result.map(drop).unwrap_err();
    (bound.reason, bound.scope)
}

/// (balance, held) of the one account's credit.
pub(super) fn credit(accounts: &Accounts) -> (i64, i64) {
    let Credit { balance, held } = accounts.credit(&account());
    (balance.nanos(), held.nanos())
}

#[test]
fn the_tightest_of_nested_budgets_binds_and_names_itself() {
    for (limits, tightest) in [
        ([1000, 900, 500, 90], Scope::Key),
        ([1000, 90, 500, 900], Scope::Key),
        ([1000, 900, 90, 500], Scope::Account),
        ([90, 900, 1000, 500], Scope::Plan),
    ] {
        let clock = clock();
        let [plan, per_key, own, narrow] = limits.map(budget);
        let accounts = Accounts::new(clock.clone(), Vec::new());
        accounts.publish(roster(plan, per_key, own, narrow));
        let key = key(&accounts, "k1");
        let taken = hold(&key, &tokens(20, 40), &clock).unwrap();
        assert_eq!(counts(&key, &clock), [(0, 60); 4]);
        // All or none: what is refused by one level holds nothing of the others.
        let second = hold(&key, &tokens(20, 11), &clock);
        assert_eq!(why(second), (Reason::OnHold, tightest));
        let larger = hold(&key, &tokens(20, 71), &clock);
        assert_eq!(why(larger), (Reason::TooLarge, tightest));
        assert_eq!(counts(&key, &clock), [(0, 60); 4]);
        settle(&key, taken, cost(59), &clock);
        assert_eq!(counts(&key, &clock), [(59, 0); 4]);
        let bound = hold(&key, &tokens(20, 12), &clock).map(drop).unwrap_err();
        assert_eq!((bound.reason, bound.scope), (Reason::TooLarge, tightest));
        assert_eq!(
            (bound.limit, bound.used, bound.held, bound.asked),
            (90, 59, 0, 32)
        );
        let last = hold(&key, &tokens(20, 11), &clock).unwrap();
        settle(&key, last, cost(31), &clock);
        assert_eq!(
            why(hold(&key, &tokens(0, 0), &clock)),
            (Reason::Spent, tightest)
        );
    }
}

#[test]
fn keys_share_the_budgets_of_their_account_and_plan() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    accounts.publish(roster(budget(100), budget(70), budget(110), budget(60)));
    let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
    let taken = hold(&first, &fixed(60), &clock).unwrap();
    assert_eq!(
        why(hold(&first, &fixed(1), &clock)),
        (Reason::Spent, Scope::Key)
    );
    assert_eq!(
        why(hold(&second, &fixed(41), &clock)),
        (Reason::TooLarge, Scope::Plan)
    );
    settle(&first, taken, Settled::Void, &clock);
    let taken = hold(&second, &fixed(70), &clock).unwrap();
    settle(&second, taken, cost(70), &clock);
    assert_eq!(
        why(hold(&second, &fixed(1), &clock)),
        (Reason::Spent, Scope::Key)
    );
    assert_eq!(
        why(hold(&first, &fixed(31), &clock)),
        (Reason::TooLarge, Scope::Plan)
    );
    assert!(hold(&first, &fixed(30), &clock).is_ok());
}

#[test]
fn what_is_exact_is_taken_at_once_and_never_on_hold() {
    let clock = clock();
    let accounts = credited(
        roster(
            budget(100),
            Limits::default(),
            Limits::default(),
            budget(20),
        ),
        100,
        &clock,
    );
    let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
    let taken = hold(&first, &fixed(20), &clock).unwrap();
    assert_eq!((taken.money(), taken.is_charged()), (usd(20), true));
    assert_eq!(counts(&first, &clock), [(20, 0), (20, 0)]);
    assert_eq!(credit(&accounts), (80, 0));
    assert_eq!(
        why(hold(&first, &fixed(1), &clock)),
        (Reason::Spent, Scope::Key)
    );
    // A failure of the provider gives all of it back.
    settle(&first, taken, Settled::Void, &clock);
    assert_eq!(counts(&first, &clock), [(0, 0), (0, 0)]);
    assert_eq!(credit(&accounts), (100, 0));
    // A call that was answered keeps it, whatever it used.
    let taken = hold(&second, &fixed(100), &clock).unwrap();
    assert_eq!(
        why(hold(&second, &fixed(1), &clock)),
        (Reason::Spent, Scope::Plan)
    );
    let moved = second.account.book.settle(taken, cost(100), &clock);
    assert_eq!(moved.counters.len(), 1);
    assert_eq!(moved.credit.unwrap()[0].amount, usd(100));
    assert_eq!(credit(&accounts), (0, 0));
}

#[test]
fn a_price_for_the_request_comes_on_top_of_what_its_tokens_hold() {
    let clock = clock();
    let accounts = credited(unlimited(), 1000, &clock);
    let key = key(&accounts, "k1");
    let call = priced(wanted(10, 20), &terms(500, 2, 3));
    let taken = hold(&key, &call, &clock).unwrap();
    assert_eq!(credit(&accounts), (500, 80));
    // A second one does not fit beside it, but may when it has ended.
    assert_eq!(
        why(hold(&key, &call, &clock)),
        (Reason::TooLarge, Scope::Account)
    );
    settle(&key, taken, cost(510), &clock);
    assert_eq!(credit(&accounts), (490, 0));
    // Only the request's own price: the provider said no to the call, and reported no usage.
    let small = priced(wanted(10, 20), &terms(400, 2, 1));
    let taken = hold(&key, &small, &clock).unwrap();
    settle(&key, taken, cost(400), &clock);
    assert_eq!(credit(&accounts), (90, 0));
    let call = tokens(30, 61);
    assert_eq!(
        why(hold(&key, &call, &clock)),
        (Reason::TooLarge, Scope::Account)
    );
    // Less than what is exact was charged in the end.
    let taken = hold(&key, &fixed(90), &clock).unwrap();
    settle(&key, taken, cost(7), &clock);
    assert_eq!(credit(&accounts), (83, 0));
}

#[test]
fn spent_too_large_and_on_hold_are_told_apart() {
    let clock = clock();
    let accounts = credited(unlimited(), 100, &clock);
    let key = key(&accounts, "k1");
    let first = hold(&key, &tokens(30, 30), &clock).unwrap();
    let bound = hold(&key, &tokens(30, 30), &clock).map(drop).unwrap_err();
    assert_eq!((bound.reason, bound.affordable), (Reason::OnHold, Some(10)));
    let bound = hold(&key, &tokens(30, 71), &clock).map(drop).unwrap_err();
    assert_eq!(bound.reason, Reason::TooLarge);
    assert_eq!(
        bound.credit,
        Some(Credit {
            balance: usd(100),
            held: usd(60)
        })
    );
    let second = hold(&key, &tokens(30, 10), &clock).unwrap();
    assert_eq!(
        why(hold(&key, &tokens(0, 1), &clock)),
        (Reason::OnHold, Scope::Account)
    );
    settle(&key, first, cost(60), &clock);
    // More than was held, by the provider's own word: the one way below zero.
    settle(&key, second, cost(45), &clock);
    assert_eq!(credit(&accounts), (-5, 0));
    let bound = hold(&key, &tokens(0, 0), &clock).map(drop).unwrap_err();
    assert_eq!((bound.reason, bound.affordable), (Reason::Spent, Some(0)));
    let spent = || {
        let account = &key.account;
        let spent = account.book.spent(&key.levels, clock.now(), account.anchor);
        spent.map(|bound| bound.reason)
    };
    assert_eq!(spent(), Some(Reason::Spent));
    // A top-up pays the debt first, and the next call sees the rest.
    accounts.add_lot(&account(), lot(2, 6));
    assert_eq!((credit(&accounts), spent()), ((1, 0), None));
    assert!(hold(&key, &tokens(0, 1), &clock).is_ok());
}

/// The debt of a call that cost more than it held is paid by what another gives back, though no row names that lot.
#[test]
fn what_a_call_gives_back_pays_the_debt_of_another() {
    let clock = clock();
    let accounts = credited(unlimited(), 100, &clock);
    let key = key(&accounts, "k1");
    let exact = hold(&key, &fixed(40), &clock).unwrap();
    let lied = hold(&key, &tokens(30, 30), &clock).unwrap();
    let book = &key.account.book;
    let paid = book.settle(lied, cost(61), &clock).credit.unwrap();
    assert_eq!((paid[0].amount, credit(&accounts)), (usd(60), (-1, 0)));
    let paid = book.settle(exact, cost(33), &clock).credit.unwrap();
    assert_eq!((paid[0].amount, credit(&accounts)), (usd(33), (6, 0)));
    // The rows name 93 of the lot and charge 94: what continues from them has the same 6.
    let stored = CreditRow {
        account: account(),
        balance: usd(100 - 61 - 33),
        lots: vec![lot(1, 100 - 60 - 33)],
    };
    let again = Accounts::new(clock, Vec::new()).with_credit(&[stored]);
    again.publish(unlimited());
    assert_eq!(credit(&again), (6, 0));
}

#[test]
fn an_output_limit_of_ours_is_what_every_level_can_hold() {
    let clock = clock();
    let accounts = credited(
        roster(
            budget(2000),
            Limits::default(),
            Limits::default(),
            quotas(&[
                quota(Unit::Usd, Per::Hour, 1500),
                quota(Unit::Tokens, Per::Day, 700),
            ]),
        ),
        1000,
        &clock,
    );
    let key = key(&accounts, "k1");
    let prices = terms(100, 1, 3);
    let given = |output: Output, answers, prices: &Terms| {
        let call = Wanted {
            output,
            answers,
            ..wanted(60, 0)
        };
        let taken = hold(&key, &priced(call, prices), &clock);
        taken.map(|taken| {
            let output = (taken.output, taken.lowered, taken.output_of_all());
            settle(&key, taken, Settled::Void, &clock);
            output
        })
    };
    let open = |most| Output::UpTo { most, floor: 16 };
    // (1000 - 100 - 60) / 3 by credit; by tokens it would be 640.
    assert_eq!(given(open(5000), 1, &prices), Ok((280, true, 280)));
    assert_eq!(given(open(280), 1, &prices), Ok((280, false, 280)));
    assert_eq!(given(open(5000), 3, &prices), Ok((93, true, 279)));
    // By tokens, where they are cheap.
    assert_eq!(given(open(5000), 2, &terms(0, 0, 1)), Ok((320, true, 640)));
    // By the key's budget once it is the tightest, and not below the floor.
    accounts.add_lot(&account(), lot(2, 9000));
    assert_eq!(given(open(5000), 1, &prices), Ok((446, true, 446)));
    let bound = given(open(5000), 1, &terms(1440, 0, 4)).unwrap_err();
    assert_eq!((bound.reason, bound.scope), (Reason::TooLarge, Scope::Key));
    // A client's own number is lowered by the credit alone, down to a single token.
    let lowered = |most| Output::Clamp { most, floor: 1 };
    let clamp = lowered(5000);
    let bound = given(clamp, 1, &prices).unwrap_err();
    assert_eq!((bound.reason, bound.unit), (Reason::TooLarge, Unit::Usd));
    assert!(bound.credit.is_none());
    let _ = accounts.draw(&account(), usd(9000));
    assert_eq!(given(clamp, 1, &prices), Ok((280, true, 280)));
    assert_eq!(given(lowered(280), 1, &prices), Ok((280, false, 280)));
    let _ = accounts.draw(&account(), usd(837));
    assert_eq!(given(clamp, 1, &prices), Ok((1, true, 1)));
    assert_eq!(
        given(clamp, 2, &prices).map(drop).unwrap_err().affordable,
        Some(0)
    );
    let _ = accounts.draw(&account(), usd(1));
    let bound = given(clamp, 1, &prices).unwrap_err();
    assert_eq!(
        (bound.reason, bound.affordable),
        (Reason::TooLarge, Some(0))
    );
}

#[test]
fn credit_that_a_plan_takes_later_is_not_asked_of_calls_under_way() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    accounts.add_lot(&account(), lot(1, 100));
    let publish = |taken: bool| {
        let mut roster = unlimited();
        roster.plans[0].credit_required = taken;
        accounts.publish(roster);
        key(&accounts, "k1")
    };
    let free = publish(false);
    let before = hold(&free, &tokens(10, 30), &clock).unwrap();
    assert!(!before.is_charged());
    let paid = publish(true);
    let during = hold(&paid, &tokens(10, 30), &clock).unwrap();
    let moved = paid.account.book.settle(before, cost(40), &clock);
    assert_eq!((moved.credit, credit(&accounts)), (None, (100, 40)));
    // And what was promised to be paid is paid, when the plan takes none any more.
    let free = publish(false);
    let moved = free.account.book.settle(during, cost(35), &clock);
    assert_eq!(moved.credit.unwrap()[0].amount, usd(35));
    assert_eq!(credit(&accounts), (65, 0));
}

#[test]
fn a_hold_belongs_to_the_window_of_its_admission_and_credit_to_none() {
    let clock = clock();
    let accounts = credited(
        roster(
            quotas(&[
                quota(Unit::Usd, Per::Hour, 100),
                quota(Unit::Usd, Per::Day, 300),
            ]),
            Limits::default(),
            Limits::default(),
            Limits::default(),
        ),
        1000,
        &clock,
    );
    let key = key(&accounts, "k1");
    let call = priced(wanted(10, 10), &terms(50, 2, 3));
    let (kept, void) = (
        hold(&key, &call, &clock).unwrap(),
        hold(&key, &priced(wanted(0, 0), &terms(0, 0, 0)), &clock).unwrap(),
    );
    assert_eq!(counts(&key, &clock), [(50, 50), (50, 50)]);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(counts(&key, &clock), [(0, 0), (50, 50)]);
    let next = hold(&key, &call, &clock).unwrap();
    let moved = key.account.book.settle(kept, cost(90), &clock);
    let moved: Vec<_> = moved
        .counters
        .iter()
        .map(|change| (change.window_start, change.add))
        .collect();
    assert_eq!(
        moved,
        [
            (at("2026-11-20T12:00:00Z"), 90),
            (at("2026-11-20T00:00:00Z"), 90)
        ]
    );
    assert_eq!(counts(&key, &clock), [(50, 50), (140, 50)]);
    assert_eq!(credit(&accounts), (860, 50));
    settle(&key, void, Settled::Void, &clock);
    settle(&key, next, Settled::Void, &clock);
    assert_eq!(counts(&key, &clock), [(0, 0), (90, 0)]);
    assert_eq!(credit(&accounts), (910, 0));
}

#[test]
fn a_shadow_budget_is_counted_and_never_refuses() {
    let clock = clock();
    let mut shadow = quota(Unit::Usd, Per::Day, 50);
    shadow.mode = Mode::Shadow;
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let limits = quotas(&[shadow, quota(Unit::Usd, Per::Hour, 1000)]);
    accounts.publish(roster(
        limits,
        Limits::default(),
        Limits::default(),
        Limits::default(),
    ));
    let key = key(&accounts, "k1");
    assert!(key.levels.counts_money());
    let first = hold(&key, &tokens(20, 30), &clock).unwrap();
    assert_eq!(first.shadow, None);
    for reason in [Reason::OnHold, Reason::Spent] {
        let second = hold(&key, &tokens(0, 40), &clock).unwrap();
        assert_eq!(second.shadow.map(|bound| bound.reason), Some(reason));
        settle(&key, second, cost(50), &clock);
    }
    // An output limit of ours is not made smaller by what never refuses.
    let open = Wanted {
        output: Output::UpTo {
            most: 700,
            floor: 16,
        },
        ..wanted(0, 0)
    };
    let open = hold(&key, &priced(open, &terms(0, 0, 1)), &clock).unwrap();
    assert_eq!((open.output, open.lowered), (700, false));
    settle(&key, open, Settled::Void, &clock);
    settle(&key, first, cost(50), &clock);
    assert_eq!(counts(&key, &clock), [(150, 0), (150, 0)]);
}

#[test]
fn what_an_entry_gives_back_goes_to_the_lot_it_came_from() {
    let clock = clock();
    let accounts = credited(unlimited(), 40, &clock);
    let key = key(&accounts, "k1");
    let tomorrow = Some(at("2026-11-21T00:00:00Z"));
    accounts.add_lot(
        &account(),
        Lot {
            expires_at: tomorrow,
            ..lot(2, 60)
        },
    );
    // A correction empties the lot, and calls begin and end before it turns out that it could not be written.
    let draws = accounts.draw(&account(), usd(60));
    let taken = hold(&key, &tokens(10, 10), &clock).unwrap();
    settle(&key, taken, cost(15), &clock);
    accounts.give_back(&account(), usd(60), &draws);
    assert_eq!(credit(&accounts), (85, 0));
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(credit(&accounts), (25, 0));
    assert_eq!(accounts.take_expired()[0].1[0].entry, 2);
}

const fn usd(nanos: i64) -> NanoUsd {
    NanoUsd::from_nanos(nanos)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The output limit that a refusal names is served, and one token more is not.
    #[test]
    fn what_is_said_to_be_affordable_is(
        (balance, budget_limit, token_limit) in (1_i64..5000, 1_u64..9000, 1_u64..3000),
        (request, input_price, output_price) in (0_u64..300, 0_u64..9, 0_u64..9),
        (input, answers, held) in (0_u64..400, 1_u64..4, 0_u64..2000),
        output in prop_oneof![(1_u64..4000).prop_map(Output::Fixed), (1_u64..4000).prop_map(|most| Output::UpTo { most, floor: 256 })],
    ) {
        let clock = clock();
        let limits = quotas(&[quota(Unit::Usd, Per::Day, budget_limit), quota(Unit::Tokens, Per::Day, token_limit)]);
        let accounts = credited(roster(limits, Limits::default(), Limits::default(), Limits::default()), balance, &clock);
        let key = key(&accounts, "k1");
        let _others = hold(&key, &tokens(0, held), &clock);
        let prices = terms(request, input_price, output_price);
        let call = priced(Wanted { output, answers, ..wanted(input, 0) }, &prices);
        let Err(Binding { credit: Some(_), affordable, .. }) = hold(&key, &call, &clock) else {
            return Ok(());
        };
        let most = affordable.unwrap();
        prop_assert!(most < output.most());
        let with = |output| Wanted { output: Output::Fixed(output), ..call };
        if most > 0 {
            let taken = hold(&key, &with(most), &clock);
            prop_assert!(taken.is_ok(), "{:?}", taken);
            settle(&key, taken.unwrap(), Settled::Void, &clock);
        }
        prop_assert_eq!(hold(&key, &with(most + 1), &clock).is_err(), true);
    }
}
