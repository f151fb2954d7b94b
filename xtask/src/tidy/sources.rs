//! What Rust sources may say, and where.

use super::lexer::{Kind, Token, tokens};
use super::{File, Problem, Tree};

/// Lines a hand-written source file may have.
const MOST_LINES: usize = 500;

/// Longer files, each with its reason.
const LONGER: [(&str, &str); 0] = [];

/// Words that name something else in other products and nothing here (see the names in ARCHITECTURE.md). Looked for in
/// the names of our own types and modules.
const UNUSED_WORDS: [&str; 6] = ["Provider", "Service", "Integration", "Sync", "Job", "Mute"];

/// Shipped files that may name applications, each with its reason.
const NAMES_ALLOWED: [(&str, &str); 1] =
    [("crates/parapet/src/cli.rs", "the examples of --help name real products")];

/// How an SQL statement begins.
const SQL: [&str; 9] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "WITH ",
];

/// Clients and sockets that reach a network.
const SOCKETS: [&str; 6] = ["reqwest", "hyper", "TcpStream", "UdpSocket", "ToSocketAddrs", "lookup_host"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let applications = tree.applications();
    for file in &tree.files {
        unfinished(file, problems);
        length(file, problems);
    }
    for file in tree.with_extension("rs").filter(|file| !is_test_file(&file.path)) {
        let all = tokens(&file.text);
        let shipped = &all[..shipped_length(&all)];
        for token in shipped {
            sql(file, token, problems);
            sockets(file, token, problems);
            applications_named(file, token, &applications, problems);
        }
        unused_words(file, shipped, problems);
        reasons(file, &all, problems);
    }
}

/// Files that only tests compile: they may name what they test with.
fn is_test_file(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("crates/sim/")
        || path.starts_with("xtask/")
        || ["/tests/", "/benches/", "/examples/", "/fuzz/"].iter().any(|folder| path.contains(folder))
        || file == "tests.rs"
        || file.ends_with("_tests.rs")
        || file.starts_with("test_")
}

/// How many tokens come before the tests at a file's end: `#[cfg(test)] mod ...`.
fn shipped_length(all: &[Token<'_>]) -> usize {
    let pattern = [
        Kind::Mark('#'),
        Kind::Mark('['),
        Kind::Word("cfg"),
        Kind::Mark('('),
        Kind::Word("test"),
        Kind::Mark(')'),
        Kind::Mark(']'),
        Kind::Word("mod"),
    ];
    let is_there = |window: &[Token<'_>]| window.iter().map(|token| &token.kind).eq(pattern.iter());
    // A test module in a file of its own (`mod tests;`) does not end the shipped code.
    (0..all.len().saturating_sub(pattern.len() + 1))
        .find(|at| {
            is_there(&all[*at..at + pattern.len()]) && all[at + pattern.len() + 1].kind == Kind::Mark('{')
        })
        .unwrap_or(all.len())
}

fn unfinished(file: &File, problems: &mut Vec<Problem>) {
    // Split so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    if file.path.ends_with("lock")
        || file.path.ends_with("package-lock.json")
        || file.path.ends_with("min.js")
    {
        return;
    }
    for (index, line) in file.text.lines().enumerate() {
        for word in words {
            let alone = |at: usize| {
                let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                edge(line[..at].chars().next_back())
                    && (word.ends_with('(') || edge(line[at + word.len()..].chars().next()))
            };
            if line.match_indices(word).any(|(at, _)| alone(at)) {
                problems.push(Problem::new(
                    &file.path,
                    index + 1,
                    format!("'{word}' is left: finish it, or write it where work is planned"),
                ));
            }
        }
    }
}

fn length(file: &File, problems: &mut Vec<Problem>) {
    let hand_written =
        [".rs", ".mjs", ".html", ".css", ".py"].iter().any(|extension| file.path.ends_with(extension));
    let count = file.text.lines().count();
    if hand_written && count > MOST_LINES && !LONGER.iter().any(|(path, _)| *path == file.path) {
        problems.push(Problem::new(
            &file.path,
            MOST_LINES,
            format!("{count} lines; split it below {MOST_LINES}"),
        ));
    }
}

fn sql(file: &File, token: &Token<'_>, problems: &mut Vec<Problem>) {
    let Kind::Text(text) = token.kind else { return };
    let text = text.trim_start();
    // `WITH ` begins English sentences too; as SQL it is followed by a name and AS.
    let statement = SQL.iter().any(|begin| text.starts_with(begin))
        && (!text.starts_with("WITH ") || text.contains(" AS "));
    if statement && !file.path.starts_with("crates/store/") {
        problems.push(Problem::new(&file.path, token.line, "SQL outside crates/store"));
    }
}

fn sockets(file: &File, token: &Token<'_>, problems: &mut Vec<Problem>) {
    let Kind::Word(word) = token.kind else { return };
    let allowed =
        ["crates/collect/src/outbound", "crates/notify/"].iter().any(|place| file.path.starts_with(place));
    if SOCKETS.contains(&word) && !allowed {
        problems.push(Problem::new(
            &file.path,
            token.line,
            format!("`{word}`: requests leave only through collect::outbound"),
        ));
    }
}

fn applications_named(file: &File, token: &Token<'_>, applications: &[&str], problems: &mut Vec<Problem>) {
    let allowed = file.path.starts_with("crates/collect/src/native/")
        || NAMES_ALLOWED.iter().any(|(path, _)| *path == file.path);
    if !file.path.starts_with("crates/") || allowed {
        return;
    }
    let (Kind::Word(text) | Kind::Text(text)) = token.kind else { return };
    let lower = text.to_lowercase();
    for application in applications {
        if lower.split(|c: char| !c.is_alphanumeric()).any(|word| word == *application) {
            problems.push(Problem::new(&file.path, token.line, format!("names the application '{application}': what is particular to it belongs in catalog/apps/{application}")));
        }
    }
}

fn unused_words(file: &File, shipped: &[Token<'_>], problems: &mut Vec<Problem>) {
    for pair in shipped.windows(2) {
        let [
            Token { kind: Kind::Word("struct" | "enum" | "trait" | "type" | "mod"), .. },
            Token { kind: Kind::Word(name), line },
        ] = pair
        else {
            continue;
        };
        for word in UNUSED_WORDS {
            if humps(name).iter().any(|hump| hump.eq_ignore_ascii_case(word)) {
                problems.push(Problem::new(
                    &file.path,
                    *line,
                    format!("`{name}`: the word '{word}' is not used here; see the names in ARCHITECTURE.md"),
                ));
            }
        }
    }
}

/// `#[allow(...)]` and `#[expect(...)]` say why.
fn reasons(file: &File, all: &[Token<'_>], problems: &mut Vec<Problem>) {
    let mark = |token: &Token<'_>, wanted: char| token.kind == Kind::Mark(wanted);
    for at in 1..all.len().saturating_sub(1) {
        let is_lint = matches!(all[at].kind, Kind::Word("allow" | "expect"))
            && mark(&all[at - 1], '[')
            && mark(&all[at + 1], '(');
        if is_lint {
            let end = all[at..].iter().position(|token| mark(token, ']')).unwrap_or(0);
            if !all[at..at + end].iter().any(|token| token.kind == Kind::Word("reason")) {
                problems.push(Problem::new(
                    &file.path,
                    all[at].line,
                    "a lint is silenced without `reason = \"...\"`",
                ));
            }
        }
    }
}

/// The words of a `CamelCase` or `snake_case` name.
fn humps(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut begin = 0;
    for (at, character) in name.char_indices() {
        if character == '_' || (character.is_uppercase() && at > begin) {
            words.push(&name[begin..at]);
            begin = if character == '_' { at + 1 } else { at };
        }
    }
    words.push(&name[begin..]);
    words
}

#[cfg(test)]
mod rules {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let tree = Tree {
            root: ".".into(),
            files: vec![
                File { path: path.to_owned(), text: text.to_owned() },
                File { path: "catalog/apps/acme/app.toml".to_owned(), text: String::new() },
            ],
        };
        let mut found = Vec::new();
        check(&tree, &mut found);
        found.into_iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
    }

    #[test]
    fn sql_belongs_to_the_store() {
        let text = "fn f() {\n  g(\"\n SELECT id FROM x\");\n}";
        assert_eq!(problems("crates/ops/src/lib.rs", text), ["2: SQL outside crates/store"]);
        assert!(problems("crates/store/src/lib.rs", text).is_empty());
        assert!(problems("crates/ops/src/lib.rs", "const A: &str = \"UPDATED\"; // SELECT x").is_empty());
    }

    #[test]
    fn applications_are_named_in_the_catalogue_only() {
        assert_eq!(
            problems("crates/web/src/x.rs", "fn acme_link() { f(\"https://acme.example\") }").len(),
            2
        );
        assert!(
            problems(
                "crates/web/src/x.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests { const A: &str = \"acme\"; }"
            )
            .is_empty()
        );
        assert_eq!(
            problems("crates/web/src/x.rs", "#[cfg(test)]\nmod tests;\nconst A: &str = \"acme\";").len(),
            1
        );
        assert!(problems("crates/collect/src/native/acme.rs", "mod acme;").is_empty());
    }

    #[test]
    fn sockets_open_in_one_place() {
        assert_eq!(problems("crates/ops/src/x.rs", "use reqwest::Client;").len(), 1);
        assert!(problems("crates/collect/src/outbound/client.rs", "use reqwest::Client;").is_empty());
    }

    #[test]
    fn unfinished_work_and_unused_words_are_found() {
        assert_eq!(problems("docs/a.md", &format!("x {} y", concat!("TO", "DO"))).len(), 1);
        assert_eq!(problems("crates/web/src/x.rs", "struct MailJob; mod sync; struct Jobless;").len(), 2);
    }

    #[test]
    fn silenced_lints_say_why() {
        assert_eq!(problems("crates/web/src/x.rs", "#[allow(dead_code)]\nfn f() {}").len(), 1);
        assert!(
            problems(
                "crates/web/src/x.rs",
                "#![expect(dead_code, reason = \"shown later\")]\nfn f() { a.expect(\"b\") }"
            )
            .is_empty()
        );
    }

    #[test]
    fn long_files_are_split() {
        assert_eq!(problems("crates/web/src/x.rs", &"fn f() {}\n".repeat(501)).len(), 1);
        assert!(problems("crates/web/src/x.rs", &"fn f() {}\n".repeat(500)).is_empty());
    }
}
