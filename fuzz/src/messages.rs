//! What is sent to people, and to the programs that read it for them.

use lettre::message::Mailbox;
use model::time::Timestamp;
use model::words::turns;
use notify::event::{Event, Kind, Level, Subject};
use notify::mail::Mail;

/// Texts out of the input, one a line; a line may hold `\r`, `\n` and the like as escapes, so that a person can write it.
fn texts(input: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(input).ok()?;
    let unescaped = |line: &str| {
        line.replace("\\n", "\n").replace("\\r", "\r").replace("\\e", "\u{1b}").replace("\\0", "\0")
    };
    Some(text.split('\n').map(unescaped).collect())
}

fn at(texts: &[String], at: usize) -> String {
    texts.get(at).cloned().unwrap_or_default()
}

/// The lines: subject, the addressee's name, address, text, HTML.
pub(crate) fn mail(input: &[u8]) {
    let Some(texts) = texts(input) else { return };
    let mail = Mail {
        subject: at(&texts, 0),
        to_name: at(&texts, 1),
        to: at(&texts, 2),
        text: at(&texts, 3),
        html: at(&texts, 4),
        message_id: "digest.2026-11-26.o1@parapet.example.com".to_owned(),
        made_at: Timestamp(1_769_817_600_000),
        unsubscribe: Some("https://parapet.example.com/unsubscribe?token=t".to_owned()),
    };
    let from: Mailbox = "Parapet <parapet@example.com>".parse().expect("a mailbox");
    let Ok(message) = mail.compose(&from) else {
        // The one thing that can be wrong is the address.
        assert!(!notify::mail::is_address(&mail.to), "not composed: {mail:?}");
        return;
    };
    let bytes = message.formatted();
    let wire = String::from_utf8(bytes).expect("mail is sent as text");
    let (head, body) = wire.split_once("\r\n\r\n").expect("a head and a body");
    let mut names = Vec::new();
    for line in head.split("\r\n") {
        assert!(!line.contains(['\r', '\n']), "a bare line end in the head: {line:?}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "in the head: {line:?}");
        // An address beyond ASCII is sent as it is, where the server takes such (RFC 6532); nothing else is.
        assert!(line.is_ascii() || !mail.to.is_ascii(), "in the head: {line:?}");
        assert!(line.len() <= 998, "a line of {} bytes", line.len());
        if !line.starts_with([' ', '\t']) {
            names
                .push(line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}")).0.to_lowercase());
        }
    }
    names.sort();
    let expected = [
        "auto-submitted",
        "content-type",
        "date",
        "from",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "message-id",
        "mime-version",
        "subject",
        "to",
    ];
    assert_eq!(names, expected, "{head}");
    for part in body.split("\r\n") {
        assert!(part.len() <= 998 && !part.contains(['\r', '\n']), "{part:?}");
    }
    // Two parts, of which neither can begin a third.
    let boundary =
        head.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary");
    let marks = body.split("\r\n").filter(|line| line.starts_with(&format!("--{boundary}"))).count();
    assert_eq!(marks, 3, "{body}");
    // Exactly one addressee gets it, on the envelope and in the head.
    assert_eq!(message.envelope().to().len(), 1);
    assert_eq!(message.envelope().to()[0].to_string(), mail.to);
}

/// The lines: title, name, product, tenant, what is said, owner, address, our host.
fn event(texts: &[String]) -> Event {
    let optional = |n| texts.get(n).cloned();
    Event {
        id: "e-1".to_owned(),
        kind: Kind::StatusChanged,
        at: Timestamp(1_769_817_600_000),
        title: at(texts, 0),
        level: Level::Warning,
        applications: vec![Subject {
            id: "i-1".into(),
            name: at(texts, 1),
            product: at(texts, 2),
            tenant: at(texts, 3),
            owner: optional(5),
            status: Some("down".to_owned()),
            was: None,
            since: None,
            says: at(texts, 4),
            url: optional(6),
        }],
        simulated: texts.len().is_multiple_of(2),
    }
}

pub(crate) fn syslog(input: &[u8]) {
    let Some(texts) = texts(input) else { return };
    let mut event = event(&texts);
    let host = at(&texts, 7);
    if texts.len() == 1 {
        event.applications.clear();
    }
    for message in notify::syslog::messages(&event, &host) {
        assert!(!message.chars().any(char::is_control), "not one line: {message:?}");
        assert!(message.len() <= 16_384, "{} bytes", message.len());
        // VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID, then structured data (RFC 5424 section 6).
        let mut rest = message.as_str();
        for at in 0..6 {
            let (field, after) = rest.split_once(' ').unwrap_or_else(|| panic!("field {at}: {message}"));
            assert!(
                !field.is_empty() && field.chars().all(|c| c.is_ascii_graphic()),
                "field {at}: {message}"
            );
            rest = after;
        }
        let (parameters, text) = data(rest).unwrap_or_else(|| panic!("structured data: {message}"));
        assert!(text.starts_with(" \u{feff}"), "{message}");
        if let Some(subject) = event.applications.first() {
            let shown = |text: &str| {
                text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).take(300).collect()
            };
            let wanted: [(&str, String); 3] = [
                ("name", shown(&subject.name)),
                ("product", shown(&subject.product)),
                ("tenant", shown(&subject.tenant)),
            ];
            for (name, value) in wanted {
                let found: Vec<&String> =
                    parameters.iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
                assert_eq!(found, [&value], "{message}");
            }
        }
    }
}

/// The parameters of one element of structured data, unescaped, and what follows it.
fn data(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut rest = text.strip_prefix("[parapet@32473")?;
    let mut parameters = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            return Some((parameters, after));
        }
        let (name, after) = rest.strip_prefix(' ')?.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => value.push(chars.next()?.1),
                (end, '"') => break end + 1,
                (_, ']') => return None,
                (_, c) => value.push(c),
            }
        };
        parameters.push((name.to_owned(), value));
        rest = &after[end..];
    }
}

pub(crate) fn slack(input: &[u8]) {
    let Some(texts) = texts(input) else { return };
    let mut event = event(&texts);
    // The address is our own and comes from no tenant.
    event.applications[0].url = Some("https://parapet.example.com/applications/i-1".to_owned());
    let value = notify::event::slack(&event);
    let mut strings = Vec::new();
    collect(&value, &mut strings);
    for text in strings {
        // `<!channel>`, `<@U1>`, `<https://x|y>`: the one `<` that may stand is our link's.
        let without = text.replace("<https://parapet.example.com/applications/i-1|", "");
        assert!(!without.contains('<'), "{text}");
        assert!(text.chars().count() <= 3_000, "{} characters", text.chars().count());
    }
    let json = notify::event::json(&event);
    assert_eq!(json["applications"][0]["name"], event.applications[0].name, "the generic form keeps texts");
    let mail = notify::event::mail(&event, "ada@example.com", "parapet.example.com").expect("rendered");
    let html = mail.html.to_lowercase();
    // As text it may stand there; as an element, or as where a link leads, it may not.
    for element in ["<script", "<img", "<iframe", "href=\"javascript:"] {
        assert!(!html.contains(element), "{html}");
    }
}

fn collect<'j>(json: &'j serde_json::Value, into: &mut Vec<&'j str>) {
    match json {
        serde_json::Value::String(text) => into.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        serde_json::Value::Object(map) => map.values().for_each(|item| collect(item, into)),
        _ => {}
    }
}

/// The lines are the cells of one row.
pub(crate) fn spreadsheet(input: &[u8]) {
    let Some(texts) = texts(input) else { return };
    let bytes = export::spreadsheet::line(&texts).expect("written");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&*bytes);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("readable")).collect();
    let [row] = &*rows else { panic!("one row became {}: {texts:?}", rows.len()) };
    assert_eq!(row.len(), texts.len(), "{texts:?}");
    for (cell, text) in row.iter().zip(&texts) {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "a formula: {cell:?}");
        assert!(cell == text || cell.strip_prefix('\'') == Some(text), "{cell:?} of {text:?}");
    }
}
