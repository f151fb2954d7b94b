//! Links between the documents.

use super::{Problem, Tree};

/// Every relative link of a Markdown document must lead to a file or folder, and its `#part` to a heading there.
pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.with_extension("md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in targets(line) {
                if let Some(message) = broken(tree, folder, &file.text, target) {
                    problems.push(Problem::new(&file.path, index + 1, message));
                }
            }
        }
    }
}

/// The targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| {
        let rest = &line[at + 2..];
        rest.find(')').map(|end| rest[..end].split_whitespace().next().unwrap_or(""))
    })
}

fn broken(tree: &Tree, folder: &str, own: &str, target: &str) -> Option<String> {
    // Addresses elsewhere are the reader's network's business; placeholders are filled when a page is shown.
    if target.contains("://") || target.starts_with("mailto:") || target.contains('{') {
        return None;
    }
    let (path, part) = target.split_once('#').unwrap_or((target, ""));
    let text = if path.is_empty() {
        own.to_owned()
    } else {
        let full = tree.root.join(folder).join(path);
        if !full.exists() {
            return Some(format!("link to '{target}' leads nowhere"));
        }
        if part.is_empty() || full.is_dir() {
            return None;
        }
        std::fs::read_to_string(full).unwrap_or_default()
    };
    let found = part.is_empty() || text.lines().any(|line| line.starts_with('#') && anchor(line) == part);
    (!found).then(|| format!("link to '{target}': no heading '#{part}' there"))
}

/// The anchor that a heading gets on the usual Markdown hosts.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

#[cfg(test)]
mod reading {
    use super::*;

    #[test]
    fn targets_and_anchors() {
        assert_eq!(
            targets("see [a](b.md#c) and ![x](y.png \"title\")").collect::<Vec<_>>(),
            ["b.md#c", "y.png"]
        );
        assert_eq!(anchor("## 2. Health: the words, exactly"), "2-health-the-words-exactly");
    }
}
