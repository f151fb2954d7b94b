//! Lines of the plain part.

/// Columns of a line.
const WIDTH: usize = 74;

/// Breaks text at blanks into lines of at most [`WIDTH`] columns, each after `indent` blanks; an item of a list (`- `)
/// hangs. A word that is longer (a link) stands alone and is never broken.
pub(super) fn wrap(text: &str, indent: usize) -> String {
    if let Some(item) = text.strip_prefix("- ") {
        let body = wrap(item, indent + 2);
        return format!("{}- {}", " ".repeat(indent), body.trim_start());
    }
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if columns > 0 && indent + columns + 1 + length > WIDTH {
            lines.push(std::mem::take(&mut line));
            columns = 0;
        }
        if columns > 0 {
            line.push(' ');
            columns += 1;
        }
        line.push_str(word);
        columns += length;
    }
    if columns > 0 {
        lines.push(line);
    }
    let blanks = " ".repeat(indent);
    lines.iter().map(|l| format!("{blanks}{l}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_long_but_a_long_word_is_whole() {
        let link = format!("https://parapet.example.com/{}", "a".repeat(90));
        let text = format!("one two three {} {link} after", "word ".repeat(40));
        let wrapped = wrap(&text, 4);
        assert!(
            wrapped
                .lines()
                .all(|l| l.starts_with("    ") && (l.chars().count() <= WIDTH || l.trim() == link))
        );
        assert_eq!(
            wrapped.split_whitespace().collect::<Vec<_>>(),
            text.split_whitespace().collect::<Vec<_>>()
        );
        assert_eq!(wrap("", 2), "");
    }
}
