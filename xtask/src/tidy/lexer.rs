//! As much of Rust's lexical grammar as tells code from comments and string literals.

/// A piece of a source file, with the line it starts on (from 1).
pub(super) struct Token<'a> {
    pub(super) line: usize,
    pub(super) kind: Kind<'a>,
}

/// What a piece is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An identifier or keyword.
    Word(&'a str),
    /// The inside of a string literal, as written.
    Text(&'a str),
    /// Any other visible character.
    Mark(char),
}

/// Splits `source` into words, strings and marks; comments, character literals and numbers are left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let begin = line;
        let (length, kind) = step(rest, first);
        let (taken, after) = rest.split_at(length);
        line += taken.matches('\n').count();
        rest = after;
        if let Some(kind) = kind {
            out.push(Token { line: begin, kind });
        }
    }
    out
}

/// The length of the piece that `rest` starts with, and what it is.
fn step(rest: &str, first: char) -> (usize, Option<Kind<'_>>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), None);
    }
    if let Some((skip, inside, length)) = raw_string(rest) {
        return (length, Some(Kind::Text(&rest[skip..skip + inside])));
    }
    if first == '"' {
        let length = quoted(rest);
        return (length, Some(Kind::Text(rest[1..length].strip_suffix('"').unwrap_or(&rest[1..length]))));
    }
    if first == '\'' {
        return (character_or_lifetime(rest), None);
    }
    if first.is_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..length];
        // The prefix of a byte or C string belongs to the string that follows.
        let prefix = matches!(word, "b" | "c") && rest[length..].starts_with(['"', '\'']);
        return (length, (!prefix).then_some(Kind::Word(word)));
    }
    if first.is_ascii_digit() {
        return (rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()), None);
    }
    (first.len_utf8(), (!first.is_whitespace()).then_some(Kind::Mark(first)))
}

/// The length of a possibly nested `/* */`.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#`, `br"..."`, `cr"..."`: where the inside begins, its length, and the whole length.
fn raw_string(rest: &str) -> Option<(usize, usize, usize)> {
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&close)?;
    let skip = rest.len() - inside.len();
    Some((skip, length, skip + length + close.len()))
}

/// The length of a `"..."` literal, quotes included.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `'x'`, `'\n'` or `'lifetime`.
fn character_or_lifetime(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((escaped, letter))) => {
            let from = escaped + letter.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |at| from + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod lexing {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind<'_>> {
        tokens(source).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn comments_and_characters_are_left_out() {
        let source = "let a = 'x'; // SELECT \"no\"\n/* /* nested */ still */ fn f<'a>(q: &'a str) {}";
        let words: Vec<_> = kinds(source).into_iter().filter(|kind| matches!(kind, Kind::Word(_))).collect();
        assert_eq!(words, ["let", "a", "fn", "f", "a", "q", "a", "str"].map(Kind::Word));
    }

    #[test]
    fn strings_of_every_kind_are_kept_as_written() {
        assert_eq!(kinds(r##"r#"SELECT "x""# "##), [Kind::Text(r#"SELECT "x""#)]);
        assert_eq!(kinds(r#""a \" b" b"bytes" '"' "c""#), ["a \\\" b", "bytes", "c"].map(Kind::Text));
        assert_eq!(kinds(r"'\'' '\u{1F600}' x"), [Kind::Word("x")]);
    }

    #[test]
    fn lines_count_through_strings() {
        let found = tokens("\"a\nb\"\nword");
        assert_eq!(found.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 3]);
    }
}
