//! Syslog as RFC 5424 says, over TLS with counted octets (RFC 5425).

use std::time::Duration;

use model::time::Timestamp;
use model::words::acts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::event::{Event, Level};
use crate::{Network, Trouble, Trust};

/// The port of syslog over TLS.
pub const PORT: u16 = 6514;

/// The facility: log audit.
const FACILITY: u8 = 13;
/// Bytes of a message's text at most: receivers must take 2,048 bytes and should take 8,192 (RFC 5425).
const LONGEST: usize = 6000;
/// Seconds for one delivery, and for hearing what the server says to it.
const SECONDS: u64 = 30;
const LISTEN_SECONDS: u64 = 2;

/// The messages of an event: one for each application, so that a collector can count and search them; one where there is
/// none.
#[must_use]
pub fn messages(event: &Event, host: &str) -> Vec<String> {
    let level = match event.level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice => 5,
    };
    let head = format!(
        "<{}>1 {} {} parapet - {}",
        FACILITY * 8 + level,
        stamp(event.at),
        header(host, 255),
        header(event.kind.as_str(), 32)
    );
    let data = |more: &str| {
        // 32473 is the number that RFC 5612 keeps for documentation; Parapet has none of its own.
        format!(
            "[parapet@32473 event=\"{}\"{}{more}]",
            value(&event.id),
            if event.simulated { " simulated=\"1\"" } else { "" }
        )
    };
    if event.applications.is_empty() {
        return vec![format!("{head} {} \u{feff}{}", data(""), text(&event.title))];
    }
    let one = |s: &crate::event::Subject| {
        let mut more = format!(
            " instance=\"{}\" name=\"{}\" product=\"{}\" tenant=\"{}\"",
            value(s.id.as_str()),
            value(&s.name),
            value(&s.product),
            value(&s.tenant)
        );
        let optional = [("status", &s.status), ("was", &s.was), ("owner", &s.owner), ("url", &s.url)];
        for (name, found) in optional {
            if let Some(found) = found {
                more.push_str(&format!(" {name}=\"{}\"", value(found)));
            }
        }
        format!("{head} {} \u{feff}{}", data(&more), text(&format!("{} ({}): {}", s.name, s.product, s.says)))
    };
    event.applications.iter().map(one).collect()
}

/// An instant as RFC 5424 wants it.
fn stamp(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A field of the header: printable ASCII without blanks, or nothing known.
fn header(text: &str, longest: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// Control characters would split a line somewhere, and what turns the direction of reading lets a name pose as another.
fn readable(c: char) -> char {
    if acts(c) { ' ' } else { c }
}

/// A parameter's value: three characters are escaped.
fn value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(readable).take(300) {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// One line, cut visibly where it is longer than receivers take.
fn text(text: &str) -> String {
    let line: String = text.chars().map(readable).collect();
    if line.len() <= LONGEST {
        return line;
    }
    let mut end = LONGEST;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\u{2026}", &line[..end])
}

/// Sends the messages of one event. Syslog has no receipt: what a server loses after it took the bytes is lost.
///
/// # Errors
/// What happened.
pub async fn deliver(
    network: &dyn Network,
    trust: &Trust,
    host: &str,
    port: u16,
    ours: &str,
    event: &Event,
) -> Result<(), Trouble> {
    let mut frames = Vec::new();
    for message in messages(event, ours) {
        frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    let work = async {
        let stream = network.dial(host, port).await?;
        let mut stream = trust.secure(host, stream).await?;
        let broke = |e: std::io::Error| Trouble::passing(format!("The connection to {host} broke: {e}"));
        stream.write_all(&frames).await.map_err(broke)?;
        stream.flush().await.map_err(broke)?;
        stream.shutdown().await.map_err(broke)?;
        // A server that refuses (it wants a certificate of us, say) tells so only now.
        let mut rest = [0u8; 64];
        match tokio::time::timeout(Duration::from_secs(LISTEN_SECONDS), stream.read(&mut rest)).await {
            Ok(Err(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(broke(e)),
            // It closed, said something, or is still silent: the bytes are its own now.
            _ => Ok(()),
        }
    };
    let late = |_| Trouble::passing(format!("{host} took the messages for longer than {SECONDS} s"));
    tokio::time::timeout(Duration::from_secs(SECONDS), work).await.map_err(late)?
}
