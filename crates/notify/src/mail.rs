//! One mail to one address, and its form on the wire.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use model::time::Timestamp;
use model::words::acts;
use serde::{Deserialize, Serialize};

use crate::Trouble;

/// A mail as it waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// One address.
    pub to: String,
    /// The addressee's name; may be empty.
    pub to_name: String,
    /// The subject.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The same for every attempt, so that a mail which arrives twice is recognised: `digest.2026-11-26.o1@host`, without
    /// the angle brackets.
    pub message_id: String,
    /// When it was made: the `Date` header.
    pub made_at: Timestamp,
    /// Where a POST ends mails of this kind; for `List-Unsubscribe`.
    pub unsubscribe: Option<String>,
}

/// Whether mail can be sent to this text as an address.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok_and(|a| a.domain().contains('.') || a.domain() == "localhost")
}

impl Mail {
    /// The whole message, the same bytes at every attempt.
    ///
    /// # Errors
    /// An address that is none: this mail can never be sent.
    pub fn compose(&self, from: &Mailbox) -> Result<Message, Trouble> {
        let lasting = |what: &str, e: &dyn std::fmt::Display| Trouble::lasting(format!("{what}: {e}"));
        let address: Address = self
            .to
            .parse()
            .map_err(|e| lasting(&format!("\u{201c}{}\u{201d} is not an e-mail address", self.to), &e))?;
        let to = Mailbox::new((!self.to_name.is_empty()).then(|| one_line(&self.to_name)), address);
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(self.made_at.0).unwrap_or(0));
        let mut message = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(one_line(&self.subject))
            .date(date)
            .message_id(Some(format!("<{}>", self.message_id)))
            .multipart(self.parts())
            .map_err(|e| lasting("the mail cannot be put together", &e))?;
        let headers = message.headers_mut();
        let mut raw = |name: &'static str, value: String| {
            headers.insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        };
        // RFC 3834: no out-of-office answers to this.
        raw("Auto-Submitted", "auto-generated".to_owned());
        if let Some(link) = &self.unsubscribe {
            // RFC 8058: one POST, made by the reader's mail program.
            raw("List-Unsubscribe", format!("<{link}>"));
            raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned());
        }
        Ok(message)
    }

    /// The two parts. The boundary follows from the mail: nothing here is left to chance, and no part can hold it.
    fn parts(&self) -> MultiPart {
        let mut all = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for part in [&self.message_id, &self.text, &self.html] {
            all.update(part.as_bytes());
            all.update(b"\0");
        }
        let digest = all.finish();
        let boundary: String = digest.as_ref().iter().take(12).map(|b| format!("{b:02x}")).collect();
        MultiPart::alternative()
            .boundary(format!("parapet-{boundary}"))
            .singlepart(lettre::message::SinglePart::plain(lines(&self.text)))
            .singlepart(lettre::message::SinglePart::html(lines(&self.html)))
    }
}

/// A header is one line, whatever a tenant is called.
fn one_line(text: &str) -> String {
    crate::network::clean(text)
}

/// A body is lines, whatever a tenant is called: a lone carriage return ends a line to some servers and not to others, and
/// what one of them takes for the end of the mail must not be in a name. Nor does a name turn the words around it.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if acts(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            to: "ada.berg@example.com".to_owned(),
            to_name: "Ada Berg".to_owned(),
            subject: "Parapet: all 2 applications Up".to_owned(),
            text: "All 2 applications are Up.\n".to_owned(),
            html: "<p>All 2 applications are Up.</p>\n".to_owned(),
            message_id: "digest.2026-11-26.o1@parapet.example.com".to_owned(),
            made_at: Timestamp::parse("2026-11-26T07:00:00Z").unwrap(),
            unsubscribe: Some("https://parapet.example.com/unsubscribe?token=t".to_owned()),
        }
    }

    fn composed(mail: &Mail) -> String {
        let from: Mailbox = "Parapet <parapet@example.com>".parse().unwrap();
        String::from_utf8(mail.compose(&from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn the_message_on_the_wire() {
        insta::assert_snapshot!(composed(&mail()).replace('\r', ""));
        assert_eq!(composed(&mail()), composed(&mail()), "every attempt sends the same bytes");
    }

    #[test]
    fn nothing_adds_a_header() {
        let forged = Mail {
            subject: "x\r\nBcc: eve@example.com".to_owned(),
            to_name: "Ada\r\nBcc: eve@example.com".to_owned(),
            ..mail()
        };
        assert!(!composed(&forged).contains("\nBcc"));
    }

    #[test]
    fn what_was_the_boundary_of_another_mail_begins_no_part() {
        let boundary = |wire: &str| {
            wire.split("boundary=\"").nth(1).and_then(|b| b.split('"').next()).map(str::to_owned)
        };
        let known = boundary(&composed(&mail())).expect("a boundary");
        let sent = composed(&Mail { text: format!("--{known}\n\nforged\n--{known}--\n"), ..mail() });
        let own = boundary(&sent).expect("a boundary");
        assert_ne!(own, known);
        assert_eq!(sent.lines().filter(|line| line.starts_with(&format!("--{own}"))).count(), 3, "{sent}");
    }

    #[test]
    fn nothing_ends_a_line_within_a_line() {
        let forged = Mail {
            text: "Acme\r.\rQUIT\r\n.\r\nMAIL FROM:<eve@example.com>\u{1b}[31m\n".to_owned(),
            html: "<p>a\rb</p>\n".to_owned(),
            ..mail()
        };
        let sent = composed(&forged);
        assert!(!sent.replace("\r\n", "").contains(['\r', '\n', '\u{1b}']), "{sent:?}");
    }

    #[test]
    fn no_name_turns_the_words_around_it() {
        assert_eq!(lines("photo_\u{202e}gnp.exe\n"), "photo_\u{fffd}gnp.exe\n");
        assert_eq!(one_line("photo_\u{2067}gnp.exe"), "photo_ gnp.exe");
    }

    #[test]
    fn what_is_no_address_is_lasting() {
        let from: Mailbox = "parapet@example.com".parse().unwrap();
        let trouble = Mail { to: "ada at example".to_owned(), ..mail() }.compose(&from).unwrap_err();
        assert!(trouble.lasting && trouble.says.contains("not an e-mail address"));
        assert!(is_address("a@b.example") && !is_address("a@b") && !is_address("a b@c.example"));
    }
}
