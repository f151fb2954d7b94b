//! As much of XML as a CSDL file uses: tags with attributes. Text between tags has no meaning there.

use crate::Result;

/// One tag.
pub(crate) struct Tag<'t> {
    /// Its name, without a prefix.
    pub(crate) name: &'t str,
    /// `</name>`.
    pub(crate) closes: bool,
    /// `<name/>`.
    pub(crate) empty: bool,
    attributes: Vec<(&'t str, &'t str)>,
    line: usize,
}

impl<'t> Tag<'t> {
    /// An attribute. Names and types hold no entities, so none is unfolded.
    pub(crate) fn get(&self, key: &str) -> Option<&'t str> {
        self.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// An attribute that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<&'t str> {
        self.get(key).ok_or_else(|| format!("line {}: <{}> without {key}", self.line, self.name))
    }
}

/// All tags in their order; comments, declarations and texts are left out.
pub(crate) fn tags(text: &str) -> Result<Vec<Tag<'_>>> {
    let mut out = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(at) = rest.find('<') {
        line += rest[..at].matches('\n').count();
        rest = &rest[at..];
        let close = if rest.starts_with("<!--") { "-->" } else { ">" };
        let end = if close == ">" { end_of_tag(rest) } else { rest.find(close) };
        let end = end.ok_or_else(|| format!("line {line}: a tag that does not end"))?;
        let inside = &rest[1..end];
        if !rest.starts_with("<!") && !rest.starts_with("<?") {
            out.push(tag(inside, line)?);
        }
        line += rest[..end].matches('\n').count();
        rest = &rest[end + close.len()..];
    }
    Ok(out)
}

/// The first `>` that no quotes enclose.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    rest.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '>') => return Some(at),
            _ => {}
        }
        None
    })
}

fn tag(inside: &str, line: usize) -> Result<Tag<'_>> {
    let (inside, closes) = inside.strip_prefix('/').map_or((inside, false), |rest| (rest, true));
    let (inside, empty) = inside.strip_suffix('/').map_or((inside, false), |rest| (rest, true));
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        let quote = after.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| format!("line {line}: {} is not quoted", key.trim()))?;
        let begin = after.find(quote).map_or(0, |at| at + 1);
        let length =
            after[begin..].find(quote).ok_or_else(|| format!("line {line}: {} does not end", key.trim()))?;
        attributes.push((key.trim(), &after[begin..begin + length]));
        rest = &after[begin + length + 1..];
    }
    Ok(Tag { name: name.rsplit(':').next().unwrap_or(name), closes, empty, attributes, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_attributes_and_lines() {
        let all =
            tags("<?xml version='1'?>\n<!-- <no/> -->\n<a:b C=\"1>\" D = 'x/y' />\n<e>text</e>").unwrap();
        let shown: Vec<_> = all.iter().map(|t| (t.name, t.closes, t.empty, t.line)).collect();
        assert_eq!(shown, [("b", false, true, 3), ("e", false, false, 4), ("e", true, false, 4)]);
        assert_eq!((all[0].get("C"), all[0].get("D")), (Some("1>"), Some("x/y")));
        assert_eq!(all[0].need("E").unwrap_err(), "line 3: <b> without E");
        assert!(tags("<a").is_err());
        assert!(tags("<a b=c>").is_err());
    }
}
