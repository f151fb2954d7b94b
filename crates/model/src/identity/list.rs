//! An uploaded list of identities: comma-separated text (RFC 4180) with a header line. What cannot be used is refused
//! with its line and column, and nothing of it is taken: a list of half the staff would make leavers of the others.

use std::collections::BTreeMap;

use super::{Identity, State, address};
use crate::time::Timestamp;

/// The largest list, in bytes: some 100,000 people.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The columns that are known. Others are refused: a misspelt `state` would make everybody active.
const COLUMNS: [&str; 7] = ["id", "email", "username", "display_name", "state", "aliases", "other_ids"];

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ListError {
    /// From 1; of the field's first line.
    pub line: usize,
    /// Which field of the line, from 1.
    pub column: usize,
    /// What is wrong, with what to write instead.
    pub message: String,
}

/// One field with the line it begins in.
struct Field {
    text: String,
    line: usize,
}

/// Reads a list. `id` or `email` is needed; without `id` the address takes its place. Several aliases or ids in one field
/// are parted by semicolons or blanks. Without a column `state` everybody on the list is active.
///
/// # Errors
/// The first thing that cannot be used, with its line and column.
pub fn parse(text: &str, at: Timestamp) -> Result<Vec<Identity>, ListError> {
    if text.len() > MOST_BYTES {
        let message = format!("the list is larger than {} MB", MOST_BYTES / 1024 / 1024);
        return Err(ListError { line: 1, column: 1, message });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = rows(text)?.into_iter();
    let Some(head) = rows.next() else {
        let message = format!("the list is empty; its first line names the columns: {}", COLUMNS.join(", "));
        return Err(ListError { line: 1, column: 1, message });
    };
    let columns = columns(&head)?;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for row in rows {
        let line = row.first().map_or(1, |field| field.line);
        if row.len() != columns.len() {
            let (n, wanted) = (row.len(), columns.len());
            let message = format!("this line has {n} fields, the first line names {wanted} columns");
            return Err(ListError { line, column: n.min(wanted) + 1, message });
        }
        let (identity, column) = one(&columns, &row, at)?;
        if let Some(before) = seen.insert(identity.id.clone(), line) {
            let message = format!("\u{201c}{}\u{201d} is on line {before} already", identity.id);
            return Err(ListError { line, column, message });
        }
        all.push(identity);
    }
    if all.is_empty() {
        let message = "the list names nobody; an empty list would make a leaver of everybody".to_owned();
        return Err(ListError { line: 2, column: 1, message });
    }
    Ok(all)
}

fn columns(head: &[Field]) -> Result<Vec<&'static str>, ListError> {
    let mut columns: Vec<&'static str> = Vec::new();
    for (at, field) in head.iter().enumerate() {
        let wrong = |message| ListError { line: field.line, column: at + 1, message };
        let name = field.text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        let Some(known) = COLUMNS.into_iter().find(|column| *column == name) else {
            let message = format!(
                "there is no column \u{201c}{}\u{201d}; the columns are {}",
                field.text.trim(),
                COLUMNS.join(", ")
            );
            return Err(wrong(message));
        };
        if columns.contains(&known) {
            return Err(wrong(format!("the column `{known}` is there twice")));
        }
        columns.push(known);
    }
    if !columns.contains(&"id") && !columns.contains(&"email") {
        let message = "neither a column `id` nor `email`: people could not be told apart".to_owned();
        return Err(ListError { line: 1, column: 1, message });
    }
    Ok(columns)
}

/// One identity, and the column of what it is known by.
fn one(columns: &[&'static str], row: &[Field], at: Timestamp) -> Result<(Identity, usize), ListError> {
    let place = |name: &str| columns.iter().position(|column| *column == name);
    let text = |name: &str| {
        let text = place(name).and_then(|at| row.get(at)).map(|field| field.text.trim().to_owned());
        text.filter(|text| !text.is_empty())
    };
    let wrong = |name: &str, message: String| {
        let at = place(name).unwrap_or(0);
        ListError { line: row.get(at).map_or(1, |field| field.line), column: at + 1, message }
    };
    let parts = |name: &str| -> Vec<String> {
        let text = text(name).unwrap_or_default();
        let parts = text.split([';', ' ', ',', '\n', '\t']).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let email = text("email");
    if let Some(email) = &email
        && address(email).is_none()
    {
        return Err(wrong("email", format!("\u{201c}{email}\u{201d} is not an e-mail address")));
    }
    let aliases = parts("aliases");
    if let Some(none) = aliases.iter().find(|alias| address(alias).is_none()) {
        return Err(wrong("aliases", format!("\u{201c}{none}\u{201d} is not an e-mail address")));
    }
    let state = match (place("state"), text("state")) {
        (None, _) => State::Active,
        (Some(_), Some(word)) => match word.to_ascii_lowercase().as_str() {
            "active" => State::Active,
            "invited" => State::Invited,
            "suspended" | "inactive" | "disabled" => State::Suspended,
            _ => {
                let message =
                    format!("\u{201c}{word}\u{201d} is no state; write active, invited or suspended");
                return Err(wrong("state", message));
            }
        },
        (Some(_), None) => {
            return Err(wrong(
                "state",
                "the state is missing; write active, invited or suspended".to_owned(),
            ));
        }
    };
    let known_by = if place("id").is_some() { "id" } else { "email" };
    let id = match known_by {
        "id" => text("id"),
        _ => email.as_deref().and_then(address),
    };
    let Some(id) = id else {
        return Err(wrong(
            known_by,
            format!("`{known_by}` is missing: the person could not be told from others"),
        ));
    };
    let username = text("username");
    let mut addresses: Vec<String> = email.clone().into_iter().collect();
    addresses.extend(username.clone().filter(|name| address(name).is_some()));
    let identity = Identity {
        id,
        other_ids: parts("other_ids"),
        username: username.or(email),
        display_name: text("display_name"),
        addresses,
        aliases,
        state: Some(state),
        seen_at: at,
    };
    Ok((identity, place(known_by).unwrap_or(0) + 1))
}

/// The lines and their fields. Lines without any character are left out.
fn rows(text: &str) -> Result<Vec<Vec<Field>>, ListError> {
    let mut rows = Vec::new();
    let mut row: Vec<Field> = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while chars.peek().is_some() {
        let began = line;
        let mut field = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        let wrong =
            |message: &str| ListError { line: began, column: row.len() + 1, message: message.to_owned() };
        if quoted {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(c) => {
                        line += usize::from(c == '\n');
                        field.push(c);
                    }
                    None => return Err(wrong("the quotation mark is never closed")),
                }
            }
            if chars.peek().is_some_and(|c| !matches!(c, ',' | '\r' | '\n')) {
                return Err(wrong(
                    "after the closing quotation mark a comma or the end of the line is needed",
                ));
            }
        } else {
            while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '\r' | '\n')) {
                if c == '"' {
                    return Err(wrong(
                        "a quotation mark stands within a field; write it twice, and one around the field",
                    ));
                }
                field.push(c);
            }
        }
        let blank = row.is_empty() && field.is_empty() && !quoted;
        row.push(Field { text: field, line: began });
        match chars.next() {
            Some(',') => {
                // A comma at the very end is followed by one more, empty field.
                if chars.peek().is_none() {
                    row.push(Field { text: String::new(), line });
                    rows.push(std::mem::take(&mut row));
                }
            }
            end => {
                if end == Some('\r') {
                    let _line_feed = chars.next_if_eq(&'\n');
                }
                line += 1;
                let whole = std::mem::take(&mut row);
                if !blank {
                    rows.push(whole);
                }
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(7);

    fn wrong(text: &str) -> String {
        parse(text, AT).expect_err("cannot be used").to_string()
    }

    #[test]
    fn a_list_is_read() {
        let text = "\u{feff}ID,E-mail,display name,state,aliases\r\n".replace("E-mail", "email")
            + "7,Ann@Example.com,\"Ann, \"\"the\"\" admin\",active,a@example.com; ann.o@example.com\r\n\r\n8,bob@example.com,Bob,Inactive,\r\n";
        let all = parse(&text, AT).expect("a list");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].display_name.as_deref(), Some("Ann, \"the\" admin"));
        assert_eq!(all[0].aliases, ["a@example.com", "ann.o@example.com"]);
        assert_eq!(all[0].username.as_deref(), Some("Ann@Example.com"));
        assert_eq!((all[1].id.as_str(), all[1].state, all[1].seen_at), ("8", Some(State::Suspended), AT));
    }

    #[test]
    fn without_ids_people_are_known_by_their_address() {
        let all = parse("email\nAnn@Example.com\n", AT).expect("a list");
        assert_eq!((all[0].id.as_str(), all[0].state), ("ann@example.com", Some(State::Active)));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_line_and_column() {
        assert!(wrong("").starts_with("line 1, column 1: the list is empty"));
        assert!(
            wrong("email,stat\n").starts_with("line 1, column 2: there is no column \u{201c}stat\u{201d}")
        );
        assert_eq!(wrong("email,email\n"), "line 1, column 2: the column `email` is there twice");
        assert!(
            wrong("display_name\nAnn\n").starts_with("line 1, column 1: neither a column `id` nor `email`")
        );
        assert!(wrong("email\n").starts_with("line 2, column 1: the list names nobody"));
        assert!(wrong("id,email\n7\n").starts_with("line 2, column 2: this line has 1 fields"));
        assert_eq!(
            wrong("id,email\n7,ann\n"),
            "line 2, column 2: \u{201c}ann\u{201d} is not an e-mail address"
        );
        assert!(
            wrong("id,state\n7,gone\n").starts_with("line 2, column 2: \u{201c}gone\u{201d} is no state")
        );
        assert!(wrong("id,state\n7,\n").starts_with("line 2, column 2: the state is missing"));
        assert!(wrong("id,email\n,a@example.com\n").starts_with("line 2, column 1: `id` is missing"));
        assert!(
            wrong("id\n7\n8\n7\n").starts_with("line 4, column 1: \u{201c}7\u{201d} is on line 2 already")
        );
        assert!(wrong("id,email\n\"7\n8\",x\n").starts_with("line 3, column 2: \u{201c}x\u{201d}"));
        assert_eq!(wrong("id\n\"7\n"), "line 2, column 1: the quotation mark is never closed");
        assert!(wrong("id\n\"7\"8\n").starts_with("line 2, column 1: after the closing"));
    }

    #[test]
    fn a_field_of_two_lines_does_not_shift_the_count() {
        assert!(wrong("id,display_name\n7,\"Ann\nO\"\n8\n").starts_with("line 4, column 2"));
    }
}
