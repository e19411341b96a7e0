//! The admin API over a registry in memory, through its service.

mod accounts;
mod bounds;
mod credit;
mod keys;
mod lists;
mod notifications;
mod payments;
mod transport;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::{Admin, CreditSheet, Linked, Registry, Rejection};
use crate::{
    accounts::{
        AccountSpec, Digests, Extent, KeySpec, Label, Own, PlanSpec, Roster, Source, Spoken,
    },
    domain::{
        AccountId, Clock, KeyDigest, KeyId, Limits, ModelName, NanoUsd, PlanId, RequestId, Secret,
        Timestamp, Usage, Vendor,
    },
    store::{
        CallDetails, CallFilter, CallRow, CustomerFilter, CustomerRow, EntryFilter, EntryKind,
        EntryRow, EventFilter, EventRow, EventStatus, LotRow, NewEntry, NewLink, NewTransfer,
        NotificationFilter, NotificationId, NotificationRow, NotificationStatus, Page, Posted,
        Received, UsageQuery, UsageRow,
    },
    telemetry::{Metrics, Vocabulary},
};

const TOKEN: &str = "a-token-of-thirty-two-characters";
const NOW: &str = "2026-11-20T12:00:00Z";

/// What is there, in memory, and what was asked of it.
#[derive(Clone)]
struct TestRegistry {
    roster: Arc<Mutex<Arc<Roster>>>,
    asked: Arc<Mutex<Vec<String>>>,
    ready: Result<(), &'static str>,
    broken: bool,
}

impl Registry for TestRegistry {
    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.lock().unwrap())
    }

    async fn put_account(&self, account: AccountSpec, _: Spoken) -> Result<(), Rejection> {
        self.change(|roster| {
            roster.accounts.retain(|known| known.id != account.id);
            roster.accounts.push(Arc::new(account));
        })
    }

    async fn put_key(&self, key: KeySpec) -> Result<(), Rejection> {
        self.change(|roster| {
            roster.keys.retain(|known| known.id != key.id);
            roster.keys.push(Arc::new(key));
        })
    }

    async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, Rejection> {
        self.asked.lock().unwrap().push(format!("{filter:?}"));
        Ok(Page {
            data: Vec::new(),
            next_cursor: None,
        })
    }

    async fn call(&self, id: RequestId) -> Result<Option<CallDetails>, Rejection> {
        self.asked.lock().unwrap().push(format!("{id}"));
        Ok(None)
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Rejection> {
        self.asked.lock().unwrap().push(format!("{query:?}"));
        Ok(vec![UsageRow {
            group: Some("2026-11-20".into()),
            calls: 2,
            estimated_calls: 1,
            tokens: Usage {
                input: 10,
                output: 5,
                ..Usage::default()
            },
            cost: Some(NanoUsd::from_nanos(435_000)),
            currency: Some("USD"),
        }])
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, Rejection> {
        self.asked.lock().unwrap().push(format!("{filter:?}"));
        let data = [NotificationStatus::Failed, NotificationStatus::Delivered].map(message);
        Ok(Page {
            data: data.into(),
            next_cursor: None,
        })
    }

    async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, Rejection> {
        let known = [NotificationStatus::Failed, NotificationStatus::Delivered].map(message);
        Ok(known
            .into_iter()
            .find(|row| row.id == id)
            .map(|row| match row.status {
                NotificationStatus::Delivered => row,
                _ => NotificationRow {
                    status: NotificationStatus::Pending,
                    attempts: 0,
                    next_at: Some(now()),
                    finished_at: None,
                    ..row
                },
            }))
    }

    async fn test_notification(&self) -> Result<usize, Rejection> {
        Ok(3)
    }

    /// An entry whose id begins with `again` was posted before, by `cli`.
    async fn credit_add(&self, entry: NewEntry) -> Result<Posted, Rejection> {
        self.asked.lock().unwrap().push(format!("{entry:#?}"));
        self.posted(entry.id, &entry.author, entry.amount)
    }

    async fn credit_transfer(&self, transfer: NewTransfer) -> Result<[Posted; 2], Rejection> {
        self.asked.lock().unwrap().push(format!("{transfer:#?}"));
        let given = self.posted(transfer.id, &transfer.author, transfer.amount)?;
        Ok([given.clone(), given])
    }

    async fn credit(&self, account: AccountId) -> Result<CreditSheet, Rejection> {
        self.asked.lock().unwrap().push(format!("{account:?}"));
        Ok(CreditSheet {
            balance: NanoUsd::from_nanos(12_500_000_000),
            held: Some(NanoUsd::from_nanos(500_000_000)),
            lots: vec![LotRow {
                entry: 7,
                kind: EntryKind::Grant,
                amount: NanoUsd::from_nanos(20_000_000_000),
                remaining: NanoUsd::from_nanos(12_500_000_000),
                priority: 10,
                expires_at: Some(now()),
            }],
        })
    }

    async fn entries(&self, filter: EntryFilter) -> Result<Page<EntryRow, i64>, Rejection> {
        self.asked.lock().unwrap().push(format!("{filter:#?}"));
        Ok(Page {
            data: vec![EntryRow {
                number: 7,
                id: "invoice-7".to_owned(),
                account: "bob".to_owned(),
                kind: EntryKind::TopUp,
                amount: NanoUsd::from_nanos(20_000_000_000),
                currency: "USD".to_owned(),
                at: now(),
                author: "cli".to_owned(),
                reason: None,
                expires_at: None,
                priority: 50,
                related: None,
            }],
            next_cursor: Some(7),
        })
    }

    async fn payment_events(&self, filter: EventFilter) -> Result<Page<EventRow, i64>, Rejection> {
        self.asked.lock().unwrap().push(format!("{filter:#?}"));
        Ok(Page {
            data: vec![EventRow {
                number: 3,
                id: "stripe:evt_3".to_owned(),
                vendor: Vendor::Stripe,
                kind: "charge.refunded".to_owned(),
                created_at: now(),
                received_at: now(),
                status: EventStatus::Parked,
                account: None,
                words: Some("no top-up has come yet".to_owned()),
                attempts: 2,
            }],
            next_cursor: Some(3),
        })
    }

    async fn replay_payment(&self, id: String) -> Result<Received, Rejection> {
        if self.broken {
            return Err(Rejection::unavailable("The store is full."));
        }
        Ok(Received {
            duplicate: id.ends_with("applied"),
            id,
            status: EventStatus::Applied,
            account: AccountId::parse("bob").ok(),
            words: Some("25.00 USD added, entry 7".to_owned()),
            effects: Vec::new(),
        })
    }

    async fn customers(
        &self,
        filter: CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, Rejection> {
        self.asked.lock().unwrap().push(format!("{filter:#?}"));
        Ok(Page {
            data: vec![CustomerRow {
                vendor: Vendor::Stripe,
                customer: "cus_b".to_owned(),
                account: AccountId::parse("bob").unwrap(),
                since: now(),
            }],
            next_cursor: Some("stripe:cus_b".to_owned()),
        })
    }

    async fn link_customer(&self, link: NewLink) -> Result<Linked, Rejection> {
        self.asked.lock().unwrap().push(format!("{link:?}"));
        Ok(Linked {
            before: AccountId::parse("acme").ok(),
            replayed: vec![self.replay_payment("stripe:evt_1".to_owned()).await?],
        })
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.ready
    }
}

impl TestRegistry {
    fn posted(&self, id: Option<String>, by: &str, balance: NanoUsd) -> Result<Posted, Rejection> {
        if self.broken {
            return Err(Rejection::unavailable("The store is full."));
        }
        let id = id.unwrap_or_else(|| "made".to_owned());
        let existed = id.starts_with("again");
        Ok(Posted {
            number: 7,
            existed,
            id,
            author: if existed { "cli" } else { by }.to_owned(),
            at: now(),
            balance,
        })
    }

    fn change(&self, change: impl FnOnce(&mut Roster)) -> Result<(), Rejection> {
        if self.broken {
            return Err(Rejection::unavailable("The store is full."));
        }
        let mut roster = self.roster.lock().unwrap();
        change(Arc::make_mut(&mut roster));
        Ok(())
    }
}

/// A message of this status. Its id is the status's own.
fn message(status: NotificationStatus) -> NotificationRow {
    let id = format!("msg_019aa8f5-0b6e-7cc1-a6b0-00000000000{}", status as u8);
    NotificationRow {
        id: id.parse().unwrap(),
        event: "quota.exhausted".into(),
        account: Some("acme".into()),
        key: None,
        target: "https://hooks.example.com/faregate".into(),
        recipient: None,
        status,
        attempts: 10,
        next_at: None,
        last_error: (status == NotificationStatus::Failed).then(|| "it answered 500".into()),
        created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        finished_at: Some(now()),
        body: r#"{"type":"quota.exhausted","data":{"account":"acme"}}"#.into(),
    }
}

fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

fn plan(id: &str) -> PlanSpec {
    PlanSpec {
        id: PlanId::parse(id).unwrap(),
        models: None,
        subscription_required: id == "pro",
        credit_required: false,
        on_low_credit: crate::accounts::LowCredit::Refuse,
        limits: Limits::default(),
        per_key: Limits::default(),
        default_max_output_tokens: 16_384,
        price_factor: crate::prices::Factor::ONE,
        redact_amounts: false,
    }
}

/// Plans free and pro; account `acme` with key `acme-ci` in the file, account `bob` with none through the API.
fn registry() -> TestRegistry {
    let account = |id: &str, source| {
        Arc::new(AccountSpec {
            id: AccountId::parse(id).unwrap(),
            plan: PlanId::parse("free").unwrap(),
            source,
            created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
            disabled: false,
            subscription: None,
            models: None,
            limits: Limits::default(),
            email: None,
            opening_credit: None,
        })
    };
    let key = KeySpec {
        id: KeyId::parse("acme-ci").unwrap(),
        account: AccountId::parse("acme").unwrap(),
        source: Source::Config,
        digests: Digests::one(KeyDigest::of(b"secret")),
        public_part: Label::default(),
        created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        disabled: false,
        own: Own::default(),
    };
    let models = ["claude-haiku", "gpt-4o-mini"].map(|name| {
        (
            model(name),
            Extent {
                bounded: true,
                priced: true,
            },
        )
    });
    let roster = Roster {
        plans: vec![plan("free"), plan("pro")],
        accounts: vec![account("bob", Source::Api), account("acme", Source::Config)],
        keys: vec![Arc::new(key)],
        models: Some(models.into()),
        customers: std::collections::BTreeMap::new(),
    };
    TestRegistry {
        roster: Arc::new(Mutex::new(Arc::new(roster))),
        asked: Arc::default(),
        ready: Ok(()),
        broken: false,
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(Vocabulary {
        dialects: &["openai"],
        codes: &["quota_exhausted"],
        outcomes: &["completed"],
    }))
}

fn admin(registry: &TestRegistry) -> Admin<TestRegistry> {
    let token = Secret::new(TOKEN.into());
    Admin::new(registry.clone(), token, metrics(), Clock::manual(now()))
}

fn request(method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the body is ours and in memory")]
async fn read(response: Response<Full<Bytes>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Asks and reads the answer as JSON.
async fn ask(
    registry: &TestRegistry,
    method: Method,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    let body = match body {
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let response = admin(registry).handle(request(method, path, &body)).await;
    let status = response.status();
    let text = read(response).await;
    (status, serde_json::from_str(&text).unwrap())
}

async fn get(registry: &TestRegistry, path: &str) -> (StatusCode, Value) {
    ask(registry, Method::GET, path, json!(null)).await
}

/// The words of each rejection, for a snapshot.
async fn rejections(registry: &TestRegistry, cases: &[(Method, &str, Value)]) -> String {
    let mut lines = String::new();
    for (method, path, body) in cases {
        let (status, answer) = ask(registry, method.clone(), path, body.clone()).await;
        assert!(status.is_client_error(), "{method} {path}: {status}");
        assert_eq!(answer["status"], status.as_u16());
        let (code, detail) = (&answer["code"], &answer["detail"]);
        lines += &format!(
            "{method} {path} {body}\n  {} {}: {}\n",
            status.as_u16(),
            code.as_str().unwrap(),
            detail.as_str().unwrap()
        );
    }
    lines
}
