//! How what is asked is known: by machine, from a page, from notes.

use super::prove::{How, Report};
use std::collections::BTreeMap;

/// Prints, for each application, the three shares, the descriptions and the pages.
pub(crate) fn print(told: &[(String, Vec<String>, Report)]) {
    for line in lines(told) {
        println!("{line}");
    }
}

fn lines(told: &[(String, Vec<String>, Report)]) -> Vec<String> {
    let mut out = vec![format!(
        "{:<18} {:>6} {:>18} {:>26} {:>26}",
        "application", "asked", "proven by machine", "from a page that was read", "from the fact sheet only"
    )];
    let mut details = Vec::new();
    for (app, sources, report) in told {
        let all = report.items.len();
        let count = |wanted: fn(&How) -> bool| report.items.iter().filter(|item| wanted(&item.how)).count();
        let machine = count(|how| *how == How::Machine);
        let page = count(|how| matches!(how, How::Page(_)));
        let notes = count(|how| *how == How::Notes);
        let share = |part: usize| format!("{part} ({})", percent(part, all));
        out.push(format!(
            "{app:<18} {all:>6} {:>18} {:>26} {:>26}",
            share(machine),
            share(page),
            share(notes)
        ));
        details.extend(sources.iter().map(|source| format!("{app}: described by {source}")));
        let mut pages: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &report.items {
            if let How::Page(told) = &item.how {
                *pages.entry(told).or_default() += 1;
            }
        }
        details.extend(pages.into_iter().map(|(page, count)| format!("{app}: {count} from {page}")));
    }
    out.push(String::new());
    out.extend(details);
    out
}

/// Prints everything that is asked, in the manifest's order, and how each is known.
pub(crate) fn list(report: &Report) {
    let mut items: Vec<_> = report.items.iter().collect();
    items.sort_by_key(|item| item.line);
    for item in items {
        let how = match &item.how {
            How::Machine => "the vendor's description",
            How::Page(told) => told,
            How::Notes => "the fact sheet only",
            How::Refused(why) if why.is_empty() => "REFUSED with its request",
            How::Refused(why) | How::Contradicted(why) => &format!("REFUSED: {why}"),
        };
        println!("{:>5}  {}: {how}", item.line, item.id);
    }
}

/// A share without rounding up to the whole: 99.96 % is not 100 %.
fn percent(part: usize, all: usize) -> String {
    match (part * 1000).checked_div(all) {
        Some(thousandths) => format!("{}.{} %", thousandths / 10, thousandths % 10),
        None => "-".to_owned(),
    }
}

/// Every place that does not hold, with file and line.
pub(crate) fn failures(app: &str, report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    let mut silent = 0;
    for item in &report.items {
        match &item.how {
            How::Refused(why) if why.is_empty() => silent += 1,
            How::Refused(why) | How::Contradicted(why) => {
                out.push(format!("catalog/apps/{app}/app.toml:{}: {}: {why}", item.line, item.id))
            }
            _ => {}
        }
    }
    if silent > 0 {
        out.push(format!("catalog/apps/{app}/app.toml: {silent} parameters and fields belong to requests that are not described"));
    }
    out.extend(report.stale.iter().map(|id| {
        format!("catalog/apps/{app}/contract/pages.toml: {id}: nothing needs it any more; take it out")
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::super::prove::Item;
    use super::*;

    #[test]
    fn the_shares_are_told_exactly() {
        let item = |how: How| Item { id: "x".to_owned(), line: 1, how };
        let items = vec![
            item(How::Machine),
            item(How::Machine),
            item(How::Page("https://a.example (read 2026-11-23)".to_owned())),
            item(How::Notes),
            item(How::Refused("no".to_owned())),
            item(How::Refused(String::new())),
        ];
        let told = [(
            "acme".to_owned(),
            vec!["npm x@1, a.json".to_owned()],
            Report { items, stale: vec!["y.*".to_owned()], ..Report::default() },
        )];
        let lines = lines(&told);
        assert!(lines[1].contains("2 (33.3 %)") && lines[1].contains("1 (16.6 %)"), "{lines:?}");
        assert_eq!(
            lines.last().map(String::as_str),
            Some("acme: 1 from https://a.example (read 2026-11-23)")
        );
        assert_eq!(
            failures("acme", &told[0].2),
            [
                "catalog/apps/acme/app.toml:1: x: no",
                "catalog/apps/acme/app.toml: 1 parameters and fields belong to requests that are not described",
                "catalog/apps/acme/contract/pages.toml: y.*: nothing needs it any more; take it out",
            ]
        );
        assert_eq!(percent(9999, 10_000), "99.9 %");
    }
}
