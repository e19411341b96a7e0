//! `faregate notifications …`.

use http::Method;
use serde_json::Value;

use super::{
    Failure, Terminal,
    arguments::NotificationsCommand,
    backend::{Backend, listed, look, path},
    show,
    table::{Heading, Table},
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: NotificationsCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        NotificationsCommand::List {
            status,
            account,
            json,
        } => {
            let asked = [
                ("status", status.as_deref()),
                ("account", account.as_deref()),
            ];
            let list =
                async |backend: &Backend| backend.all(&path(&["notifications"]), &asked).await;
            let messages = look(config, clock, list).await?;
            if json {
                return show::json(terminal, &listed(&messages));
            }
            if messages.is_empty() {
                terminal.note("No messages.");
                return Ok(());
            }
            terminal.result(table(&messages, terminal.heading()))
        }
        NotificationsCommand::Retry { id, json } => {
            let target = path(&["notifications", &id, "retry"]);
            let retry = async |backend: &Backend| backend.call(Method::POST, &target, None).await;
            let message = Backend::to_change(config, clock)
                .await?
                .during(retry)
                .await?;
            show::changed(&message, json, terminal, |_| {
                format!("Message {id} is sent again.")
            })
        }
        NotificationsCommand::Test { json } => {
            let target = path(&["notifications", "test"]);
            let test = async |backend: &Backend| backend.call(Method::POST, &target, None).await;
            let sent = Backend::to_change(config, clock)
                .await?
                .during(test)
                .await?;
            show::changed(&sent, json, terminal, |sent| {
                match sent["messages"].as_u64() {
                    Some(0) | None => {
                        "Nobody is notified: `notifications` names neither webhooks nor addresses."
                            .to_owned()
                    }
                    Some(1) => "1 test message is on its way.".to_owned(),
                    Some(count) => format!("{count} test messages are on their way."),
                }
            })
        }
    }
}

/// Messages for people.
pub(super) fn table(messages: &[Value], heading: Heading) -> Table {
    let columns = [
        "ID",
        "TYPE",
        "ACCOUNT",
        "STATUS",
        ">TRIES",
        "NEXT",
        "TARGET",
        "LAST ERROR",
    ];
    let mut table = Table::new(&columns, heading);
    for message in messages {
        let target = match message["recipient"].as_str() {
            Some(recipient) => recipient.to_owned(),
            None => show::text(&message["target"]),
        };
        table.row([
            show::text(&message["id"]),
            show::text(&message["type"]),
            show::text(&message["account"]),
            show::text(&message["status"]),
            show::text(&message["attempts"]),
            show::instant(&message["next_at"]),
            target,
            show::text(&message["last_error"]),
        ]);
    }
    table
}
