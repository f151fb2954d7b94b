//! What was measured, as a page with drawings.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::growth::{PAGES, Step};
use crate::place::{ACCOUNTS, FINDINGS};
use crate::plot::{Line, Scale, draw};
use crate::simulator::SLOW;
use crate::spread::{CAPACITY, SCANS, after_a_standstill};
use crate::window::Window;
use crate::year::Day;
use crate::{Size, percentile};

/// Everything about one database server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) database: String,
    pub(crate) growth: Vec<Step>,
    pub(crate) window: Option<Window>,
    /// Megabytes of the server every ten seconds of an hour.
    #[serde(default)]
    pub(crate) hour: Vec<f64>,
    pub(crate) year: Vec<Day>,
}

/// What was measured before, so that a part can be measured anew.
pub(crate) fn known(folder: &Path) -> Vec<Measured> {
    std::fs::read(folder.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// The figures behind the report.
const FILE: &str = "measured.json";

pub(crate) fn write(folder: &Path, all: &[Measured], size: Size) {
    let mut out = format!(
        "# Growth\n\nWritten by `cargo xtask scale` on a machine with {} processors, where the database, the simulated vendors and the \
         server share them. Read the curves' shape rather than their height: another machine has other times. How it is measured stands in `crates/parapet/benches/scale/`; what follows from it in \
         [the way to a million](../guides/scale.md).\n",
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    );
    windows(&mut out, folder, all);
    spread(&mut out, folder);
    growth(&mut out, folder, all);
    years(&mut out, folder, all, size);
    std::fs::write(folder.join("README.md"), out).expect("the report is written");
    let figures = serde_json::to_vec(all).expect("figures are JSON");
    std::fs::write(folder.join(FILE), figures).expect("the figures are written");
}

fn drawing(out: &mut String, folder: &Path, name: &str, alt: &str, svg: &str) {
    std::fs::write(folder.join(name), svg).expect("a drawing is written");
    let _ = writeln!(out, "\n![{alt}]({name})");
}

fn windows(out: &mut String, folder: &Path, all: &[Measured]) {
    let windows: Vec<(&str, &Window)> =
        all.iter().filter_map(|m| Some((m.database.as_str(), m.window.as_ref()?))).collect();
    let Some((_, first)) = windows.first() else { return };
    let _ = write!(
        out,
        "\n## At the hourly rate\n\n{} instances with {ACCOUNTS} accounts each, two scans of each every 39 minutes: a few \
         more runs than three scans every hour. The built server with its default settings (8 workers, 4 at one vendor's address) reads them over \
         HTTP. One instance in twenty is at a vendor that takes {} s for each answer; its runs may be late, the others' may not.\n\n\
         | | {} |\n|---|{}\n",
        first.instances,
        SLOW.as_secs(),
        windows.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | "),
        "---:|".repeat(windows.len())
    );
    let mut row = |name: &str, cell: &dyn Fn(&Window) -> String| {
        let cells: Vec<String> = windows.iter().map(|(_, w)| cell(w)).collect();
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    };
    row("seconds", &|w| format!("{:.0}", w.seconds));
    row("runs that finished", &|w| w.runs.to_string());
    row("of them succeeded", &|w| w.succeeded.to_string());
    row("due and not finished two seconds later, at the end", &|w| w.waiting.to_string());
    row("due to claimed, p50 (ms)", &|w| format!("{:.0}", percentile(&w.late, 50)));
    row("due to claimed, p99 (ms)", &|w| format!("{:.0}", percentile(&w.late, 99)));
    row("due to claimed, worst (ms)", &|w| format!("{:.0}", percentile(&w.late, 100)));
    row("the same at the slow vendor, p50 (s)", &|w| format!("{:.0}", percentile(&w.late_slow, 50) / 1e3));
    row("processor: server (1 = one of them)", &|w| format!("{:.2}", w.cpu[0]));
    row("processor: PostgreSQL", &|w| format!("{:.2}", w.cpu[1]));
    row("processor: simulated vendors", &|w| format!("{:.2}", w.cpu[2]));
    row("server's memory, first and last minute (MB)", &|w| {
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        let some = w.memory.len().min(6);
        format!("{:.0}, {:.0}", mean(&w.memory[..some]), mean(&w.memory[w.memory.len() - some..]))
    });
    for name in ["Applications", "Accounts", "Findings"] {
        row(&format!("page {name} meanwhile, p50 and p99 (ms)"), &|w| {
            let times = w.pages.get(name).map(Vec::as_slice).unwrap_or_default();
            format!("{:.0}, {:.0}", percentile(times, 50), percentile(times, 99))
        });
    }
    let every = |values: &[f64]| values.iter().enumerate().map(|(n, v)| (n as f64 * 10.0, *v)).collect();
    let starts: Vec<Line> =
        windows.iter().map(|(name, w)| Line { name: (*name).to_owned(), points: every(&w.starts) }).collect();
    let svg = draw(
        "Runs that began in each ten seconds",
        ("seconds", Scale::Linear),
        ("runs", Scale::Linear),
        &starts,
    );
    drawing(out, folder, "starts.svg", "Starts spread evenly over the window", &svg);
    let memory: Vec<Line> =
        windows.iter().map(|(name, w)| Line { name: (*name).to_owned(), points: every(&w.memory) }).collect();
    let svg = draw("The server's memory", ("seconds", Scale::Linear), ("MB", Scale::Linear), &memory);
    drawing(out, folder, "memory.svg", "Memory of the server over the window", &svg);
    for m in all.iter().filter(|m| !m.hour.is_empty()) {
        let at = |minute: usize| m.hour.get(minute * 6).or(m.hour.last()).copied().unwrap_or_default();
        let _ = write!(
            out,
            "\nAn hour of the same on {}, in which every scan runs once and half of them again: {:.0} MB at the beginning, {:.0} after 20 minutes, {:.0} after \
             40, {:.0} at the end.\n",
            m.database,
            at(0),
            at(20),
            at(40),
            at(60)
        );
        let line = Line { name: m.database.clone(), points: every(&m.hour) };
        let svg = draw(
            "The server's memory over an hour",
            ("seconds", Scale::Linear),
            ("MB", Scale::Linear),
            &[line],
        );
        let file = format!("hour-{}.svg", m.database.to_lowercase());
        drawing(out, folder, &file, "Memory of the server over an hour", &svg);
    }
}

fn growth(out: &mut String, folder: &Path, all: &[Measured]) {
    if all.iter().all(|m| m.growth.is_empty()) {
        return;
    }
    let _ = write!(
        out,
        "\n## As instances, accounts and findings grow\n\nEach instance brings {ACCOUNTS} accounts and {FINDINGS} open findings. Medians in \
         milliseconds, without a socket in between; disk in megabytes.\n"
    );
    for m in all {
        let names: Vec<&str> = PAGES.iter().map(|(name, _)| *name).collect();
        let _ = write!(
            out,
            "\n### {}\n\n| instances | accounts | findings | store a run | read all facts | {} | disk |\n|---:|---:|---:|---:|---:|{}---:|\n",
            m.database,
            names.join(" | "),
            "---:|".repeat(names.len())
        );
        for step in &m.growth {
            let pages: Vec<String> = step.pages.iter().map(|ms| format!("{ms:.1}")).collect();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.1} | {:.1} | {} | {:.0} |",
                step.instances,
                step.instances * ACCOUNTS,
                step.instances * FINDINGS,
                step.commit,
                step.load,
                pages.join(" | "),
                step.disk
            );
        }
        let at = |value: &dyn Fn(&Step) -> f64| -> Vec<(f64, f64)> {
            m.growth.iter().map(|step| (step.instances as f64, value(step))).collect()
        };
        let mut lines = vec![Line { name: "store a run".to_owned(), points: at(&|s| s.commit) }];
        for (n, (name, _)) in PAGES.iter().enumerate() {
            let points = at(&|s| s.pages.get(n).copied().unwrap_or_default());
            lines.push(Line { name: (*name).to_owned(), points });
        }
        let title = format!("{}: pages and runs by the number of instances", m.database);
        let svg =
            draw(&title, ("instances", Scale::Logarithmic), ("milliseconds", Scale::Logarithmic), &lines);
        let file = format!("growth-{}.svg", m.database.to_lowercase());
        drawing(out, folder, &file, &title, &svg);
    }
}

/// After how many hours a curve is drawn.
const SPREAD: [usize; 5] = [0, 24, 24 * 3, 24 * 7, 24 * 28 - 1];

fn spread(out: &mut String, folder: &Path) {
    let hours = after_a_standstill();
    let _ = write!(
        out,
        "\n## After a standstill\n\nComputed, not measured: {SCANS} scans that run every hour are due at once because the server stood \
         still, and {CAPACITY} of them are worked off in a second. The next start of each is an interval after its end and up to 1/32 of the \
         interval more, by chance. What was worked off one after the other stays apart, and the peaks flatten by themselves.\n\n\
         | hour after | most starts in a minute | late, p99 (s) |\n|---:|---:|---:|\n"
    );
    for n in SPREAD {
        let hour = &hours[n];
        let _ = writeln!(out, "| {} | {} | {:.1} |", n + 1, hour.most(), hour.p99());
    }
    let line = |n: &usize| Line {
        name: format!("hour {}", n + 1),
        points: hours[*n]
            .starts
            .iter()
            .enumerate()
            .map(|(at, count)| (at as f64, f64::from(*count)))
            .collect(),
    };
    let lines: Vec<Line> = SPREAD.iter().map(line).collect();
    let title = "Starts in each minute of an hour, after all were due at once";
    let svg = draw(title, ("minutes", Scale::Linear), ("starts", Scale::Linear), &lines);
    drawing(out, folder, "standstill.svg", "Starts that fell together spread over the hour again", &svg);
}

fn years(out: &mut String, folder: &Path, all: &[Measured], size: Size) {
    if all.iter().all(|m| m.year.is_empty()) {
        return;
    }
    let _ = write!(
        out,
        "\n## A year of history, and more\n\n{} instances, of which each runs one scan every hour for {} days, with an account that goes and \
         one that comes, a value that changes, and two findings mended and two new on each day. Runs are kept for 92 days, what is over \
         (resolved findings, accounts that are gone, changes) for 400; what is too old is deleted each day. PostgreSQL's own cleaning \
         looks once a minute, which would be once in months here; so a plain `VACUUM` takes its place each day.\n",
        size.year_instances, size.days
    );
    for m in all {
        let _ = write!(
            out,
            "\n### {}\n\n| day | runs in the log | what is over | disk (MB) | page of the log (ms) | deleting (ms) |\n|---:|---:|---:|---:|---:|---:|\n",
            m.database
        );
        for day in m.year.iter().filter(|d| d.day % 30 == 0 || d.day == size.days) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.1} | {:.1} | {:.1} |",
                day.day, day.runs, day.past, day.disk, day.log, day.prune
            );
        }
    }
    let lines = |value: &dyn Fn(&Day) -> f64| -> Vec<Line> {
        all.iter()
            .map(|m| Line {
                name: m.database.clone(),
                points: m.year.iter().map(|d| (d.day as f64, value(d))).collect(),
            })
            .collect()
    };
    let axes = (("days", Scale::Linear), ("MB", Scale::Linear));
    let svg = draw("Disk over 500 days", axes.0, axes.1, &lines(&|d| d.disk));
    drawing(
        out,
        folder,
        "year.svg",
        "Disk grows until runs are 92 days old, then by what is over alone, until that is 400 days old",
        &svg,
    );
}
