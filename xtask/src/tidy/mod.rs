//! `cargo xtask tidy`: the rules of the source tree that no compiler holds.

mod crates;
mod lexer;
mod links;
mod sources;

use crate::{Result, run, tools};
use std::path::PathBuf;
use std::process::Command;

/// One broken rule, at its place.
pub(crate) struct Problem {
    path: String,
    line: usize,
    message: String,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

/// A text file of the repository.
pub(crate) struct File {
    /// Its path from the repository's root, with `/`.
    path: String,
    text: String,
}

/// Every text file that is committed or about to be.
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    fn read() -> Result<Self> {
        let root = tools::root();
        let listed = run::output(Command::new("git").current_dir(&root).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut files = Vec::new();
        for path in listed.lines() {
            // A file that is deleted but still listed, or is not text, has nothing to check.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                files.push(File { path: path.to_owned(), text });
            }
        }
        Ok(Self { root, files })
    }

    fn with_extension(&self, extension: &'static str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.rsplit_once('.').is_some_and(|(_, found)| found == extension))
    }

    /// The application ids, which are the folder names of `catalog/apps`.
    fn applications(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self
            .files
            .iter()
            .filter_map(|file| file.path.strip_prefix("catalog/apps/")?.split_once('/').map(|(id, _)| id))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Checks every rule and prints each broken one as `path:line: message`.
pub(crate) fn tidy() -> Result {
    let tree = Tree::read()?;
    let mut problems = Vec::new();
    crates::check(&tree, &mut problems);
    sources::check(&tree, &mut problems);
    links::check(&tree, &mut problems);
    problems.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    for problem in &problems {
        println!("{}:{}: {}", problem.path, problem.line, problem.message);
    }
    match problems.len() {
        0 => {
            println!("{} files follow the rules", tree.files.len());
            Ok(())
        }
        count => Err(format!("{count} places break the rules of the tree")),
    }
}
