//! Stores that earlier versions wrote, with traffic on them, and one that a later version did.

use std::fs;

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{CHAT, Daemon, Path, TOKEN, provider, replay, yaml};
use crate::harness::{Call, write};

/// What leads from each version to the next.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_money.sql"),
    include_str!("../../../migrations/sqlite/0003_payments.sql"),
    include_str!("../../../migrations/sqlite/0004_notifications.sql"),
    include_str!("../../../migrations/sqlite/0005_explain.sql"),
    include_str!("../../../migrations/sqlite/0006_places.sql"),
];

/// A key that was made by an earlier version.
const OLD_KEY: &str = "a-key-that-was-made-long-ago";

/// A store as the version of that number left it: an account, a key, what both have used, and credit where it had any.
fn left_by(version: usize, folder: &Path) {
    let store = Connection::open(folder.join("faregate.db")).unwrap();
    let digest = Sha256::digest(OLD_KEY);
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let sql = |text: &str| {
        store
            .execute_batch(text)
            .unwrap_or_else(|error| panic!("{version}: {error}"))
    };
    sql(MIGRATIONS[0]);
    sql(&format!(
        "INSERT INTO accounts (id, plan, source, created_at, disabled, cancel_at_period_end, limits)
             VALUES ('old', 'p', 'api', '2025-01-01T00:00:00.000Z', 0, 0, '{{}}');
         INSERT INTO keys (id, account, source, public_part, created_at, disabled, limits, allowed_ips)
             VALUES ('old-key', 'old', 'api', 'a-key', '2025-01-01T00:00:00.000Z', 0, '{{}}', '[]');
         INSERT INTO key_hashes (key_hash, key, position) VALUES ('sha256:{hash}', 'old-key', 0);
         INSERT INTO first_seen VALUES ('old', '2025-01-01T00:00:00.000Z');
         INSERT INTO counters VALUES ('account', 'old', 'requests', 'month',
             strftime('%Y-%m-01T00:00:00.000Z', 'now'), 41);"
    ));
    for migration in &MIGRATIONS[1..version] {
        sql(migration);
    }
    if version >= 2 {
        sql(
            "INSERT INTO credit_entries (number, id, account, kind, amount_nano_usd, currency, at, author, priority)
                 VALUES (1, 'first', 'old', 'top_up', 5000000000, 'USD', '2025-01-02T00:00:00.000Z', 'cli', 100);
             INSERT INTO credit_lots VALUES (1, 5000000000);
             INSERT INTO credit_balances VALUES ('old', 5000000000);",
        );
    }
    store
        .pragma_update(None, "application_id", 1_178_686_021)
        .unwrap();
    store
        .pragma_update(None, "user_version", version as i64)
        .unwrap();
}

#[tokio::test]
async fn a_store_of_every_earlier_version_is_brought_along_and_served_from() {
    let (upstream, _) = provider().await;
    for version in 1..=MIGRATIONS.len() {
        let before = upstream.seen().len();
        let folder = TempDir::new().unwrap();
        write(folder.path(), &yaml(&upstream, "in_flight: 64"));
        left_by(version, folder.path());
        let daemon = Daemon::start_in(folder).await;
        if version == 1 {
            let pay =
                Call::new(daemon.admin, "POST", "/admin/v1/accounts/old/credit").bearer(TOKEN);
            let paid = pay.json(r#"{"amount":"5","id":"first"}"#).send().await;
            assert_eq!(paid.status, 201, "{}", paid.text());
        }
        let answer = daemon.chat(OLD_KEY, CHAT).send().await;
        assert_eq!(answer.status, 200, "{version}: {}", answer.text());
        let limits = Call::new(daemon.address, "GET", "/v1/faregate/limits").bearer(OLD_KEY);
        let limits = limits.send().await.value();
        let requests = limits["limits"]
            .as_array()
            .unwrap()
            .iter()
            .find(|limit| limit["kind"] == "quota" && limit["unit"] == "requests");
        assert_eq!(requests.unwrap()["used"], 42, "{version}: {limits:#}");
        // 5 USD less nine tokens of input and two of output.
        assert_eq!(
            limits["credit"]["balance"], "4.999985",
            "{version}: {limits:#}"
        );
        daemon.signal("TERM");
        let (status, folder) = daemon.ended().await;
        assert_eq!(status.code(), Some(0));
        assert_eq!(replay(folder.path(), 1)["entries"], 2, "{version}");
        assert_eq!(upstream.seen().len(), before + 1);

        // A daemon of that version would find a newer store; this one says what it does with one.
        let store = folder.path().join("faregate.db");
        let later = Connection::open(&store).unwrap();
        later
            .pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1)
            .unwrap();
        drop(later);
        let bytes = fs::read(&store).unwrap();
        let (code, said) = Daemon::fails_in(folder.path()).await;
        assert_eq!(code, Some(69), "{said}");
        assert!(said.contains("use the newer faregate again"), "{said}");
        assert_eq!(fs::read(&store).unwrap(), bytes);
    }
}
