//! The `Link` header (RFC 8288 section 3): links in angle brackets, each with parameters whose values may be quoted.

/// The target of the first link whose relation is `next`.
///
/// # Errors
/// What stands where a link or a parameter should. The links behind it cannot be told apart, and one of them may be wanted.
pub(crate) fn next(text: &str) -> Result<Option<&str>, String> {
    let mut rest = text;
    loop {
        // Empty elements of a list are allowed (RFC 9110 section 5.6.1).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(None);
        }
        let link = rest.strip_prefix('<').and_then(|inner| inner.split_once('>'));
        let Some((target, parameters)) = link else { return Err(unreadable("a link")) };
        let (is_next, after) = parameters_of(parameters)?;
        if is_next {
            return Ok(Some(target));
        }
        rest = after;
    }
}

fn unreadable(what: &str) -> String {
    format!(
        "The `Link` header cannot be read where {what} should stand: whether there are more pages is not known"
    )
}

/// Reads `; name=value` up to the comma behind the link: whether `rel` says `next`, and what follows.
fn parameters_of(text: &str) -> Result<(bool, &str), String> {
    let mut relation = None;
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start_matches([' ', '\t']);
        let end = after.find(['=', ';', ',', ' ', '\t']).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let after = after.trim_start_matches([' ', '\t']);
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => value_of(value.trim_start_matches([' ', '\t']))?,
            None => (String::new(), after),
        };
        // Only the first counts (section 3.3).
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(value.split_whitespace().any(|r| r.eq_ignore_ascii_case("next")));
        }
        rest = after.trim_start_matches([' ', '\t']);
    }
    if rest.is_empty() || rest.starts_with(',') {
        Ok((relation.unwrap_or(false), rest))
    } else {
        Err(unreadable("a parameter"))
    }
}

/// A value, quoted or not, and what follows.
fn value_of(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err(unreadable("the end of a quoted value"))
}
