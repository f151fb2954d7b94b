//! Everything that is printed: results to standard output, remarks and complaints to standard error.

pub(crate) mod report;

use std::io::Write as _;
use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::failure::Failure;

/// A result.
#[expect(clippy::print_stdout, reason = "the one place where results are printed")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// A remark.
#[expect(clippy::print_stderr, reason = "the one place where remarks are printed")]
pub(crate) fn note(text: &str) {
    eprintln!("parapet: {text}");
}

/// A failure.
pub(crate) fn complain(failure: &Failure) {
    note(&clean(&failure.message));
}

/// Text to a file, or to standard output.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) => std::fs::write(path, text)
            .map_err(|e| Failure::usage(format!("{} cannot be written: {e}.", path.display()))),
        None => std::io::stdout().lock().write_all(text.as_bytes()).or_else(|e| match e.kind() {
            // The reader (`head`) has seen enough.
            std::io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Failure::usage(format!("Standard output cannot be written: {e}."))),
        }),
    }
}

/// A table without lines, as wide as the terminal.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(header.iter().map(|h| h.to_uppercase()));
    table
}

/// What a tenant wrote may hold terminal escapes; control characters are shown, not obeyed.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
