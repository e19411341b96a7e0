//! One message by SMTP, over a connection of its own.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    AsyncTransport, Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp,
};

use super::{Tried, letter::Letter};
use crate::{domain::EmailAddress, notify::Email, store::NotificationRow};

/// Replies that speak of the recipient and not of the server, us or the moment (RFC 5321 §4.2.2): no mailbox, not a
/// local one, a name that is not allowed.
const NO_RECIPIENT: [u16; 3] = [550, 551, 553];

/// Characters of a server's words that are kept.
const WORDS: usize = 200;

/// Sends a message to its recipient.
pub(super) async fn send(email: &Email, row: &NotificationRow, time: Duration) -> Tried {
    let message = match message(email, row) {
        Ok(message) => message,
        Err(error) => return Tried::Refused { error },
    };
    let own = email.from.address.as_str();
    let name = own.rsplit_once('@').map_or("localhost", |(_, host)| host);
    match email.smtp.transport(name, time).send(message).await {
        Ok(_) => Tried::Delivered,
        Err(error) => {
            let code = error.status().map(u16::from);
            let error = shown(&error);
            match code {
                Some(code) if NO_RECIPIENT.contains(&code) => Tried::Refused { error },
                _ => Tried::failed(error),
            }
        }
    }
}

fn message(email: &Email, row: &NotificationRow) -> Result<Message, String> {
    let unwritten = |error: &dyn std::fmt::Display| format!("it cannot be written: {error}");
    let recipient = row.recipient.as_deref().unwrap_or_default();
    let recipient: EmailAddress = recipient.parse().map_err(|error| unwritten(&error))?;
    let mailbox = |name: Option<String>, address: &EmailAddress| {
        let address = address
            .as_str()
            .parse()
            .map_err(|error| unwritten(&error))?;
        Ok::<_, String>(Mailbox::new(name, address))
    };
    let Letter { subject, text } = Letter::of(&super::body(row)?, &row.id.to_string());
    let own = email.from.address.as_str();
    let host = own.rsplit_once('@').map_or("localhost", |(_, host)| host);
    let made = u64::try_from(row.created_at.millis()).unwrap_or(0);
    // RFC 3834 §5: whoever answers by a machine must not answer this.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .from(mailbox(email.from.name.clone(), &email.from.address)?)
        .to(mailbox(None, &recipient)?)
        .subject(subject)
        .date(UNIX_EPOCH + Duration::from_millis(made))
        // The same for every try, so that a mailbox shows it once.
        .message_id(Some(format!("<{}@{host}>", row.id)))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|error| unwritten(&error))
}

/// An error of the server's in one short line.
fn shown(error: &smtp::Error) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    error.to_string().chars().map(plain).take(WORDS).collect()
}

#[cfg(test)]
mod tests;
