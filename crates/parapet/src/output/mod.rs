//! Everything that is printed: results to standard output, remarks and complaints to standard error.

pub(crate) mod files;
pub(crate) mod json;
pub(crate) mod report;

use std::io::{self, Write};
use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use model::diagnosis::{Fault, Rung};
use model::words::{self, acts};

use crate::failure::Failure;

/// A result, on one line or several. A reader that has seen enough (`| head`) is no fault.
pub(crate) fn say(text: &str) {
    if let Err(e) = writeln!(io::stdout().lock(), "{}", harmless(text))
        && e.kind() != io::ErrorKind::BrokenPipe
    {
        note(&format!("standard output cannot be written: {e}"));
    }
}

/// A remark.
#[expect(clippy::print_stderr, reason = "the one place where remarks are printed")]
pub(crate) fn note(text: &str) {
    eprintln!("parapet: {}", harmless(text));
}

/// A failure.
pub(crate) fn complain(failure: &Failure) {
    note(&failure.message);
    if let Some(climbed) = failure.fault.as_deref().and_then(climbed) {
        note(&clean(&climbed));
    }
}

/// How far a request got, a mark to each rung; `None` where none was sent.
pub(crate) fn climbed(fault: &Fault) -> Option<String> {
    if fault.reached == Rung::NotSent {
        return None;
    }
    let rung = |rung: words::LadderRung| {
        let mark = match rung.state {
            words::RungState::Held => '\u{2713}',
            words::RungState::Failed => '\u{2717}',
            words::RungState::NotReached => '\u{b7}',
        };
        let detail = match (rung.rung, fault.status, &fault.dataset) {
            (Rung::Http, Some(status), _) => format!(" {status}"),
            (Rung::Permission, ..) if !fault.needs.is_empty() => format!(" {}", fault.needs.join(", ")),
            (Rung::Dataset, _, Some(dataset)) => format!(" {dataset}"),
            _ => String::new(),
        };
        format!("{mark} {}{detail}", rung.rung.word())
    };
    Some(words::ladder(fault).into_iter().map(rung).collect::<Vec<_>>().join("  "))
}

/// Text to a file, or to standard output.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    let mut file = File::create(file)?;
    file.write(text.as_bytes())?;
    file.finish()
}

/// Where a result goes: a file, or standard output.
pub(crate) struct File<'a> {
    path: Option<&'a Path>,
    out: io::BufWriter<Box<dyn Write>>,
    /// The reader (`head`) has seen enough.
    closed: bool,
}

impl<'a> File<'a> {
    /// The file of that name, made anew; without one, standard output.
    pub(crate) fn create(path: Option<&'a Path>) -> Result<Self, Failure> {
        let out: Box<dyn Write> = match path {
            Some(path) => Box::new(std::fs::File::create(path).map_err(|e| unwritable(Some(path), &e))?),
            None => Box::new(io::stdout()),
        };
        Ok(Self { path, out: io::BufWriter::new(out), closed: false })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = if self.closed { Ok(()) } else { self.out.write_all(bytes) };
        self.said(written)
    }

    /// Writes by a function.
    pub(crate) fn write_by(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = write(&mut self.out);
        self.said(written)
    }

    /// Everything has been written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let written = if self.closed { Ok(()) } else { self.out.flush() };
        self.said(written)
    }

    /// The rest cannot be had: a part is not left to be taken for the whole.
    pub(crate) fn abandon(self) {
        if let Some(path) = self.path.filter(|p| p.is_file())
            && let Err(error) = std::fs::remove_file(path)
        {
            note(&format!("{} holds only a part and cannot be removed: {error}.", path.display()));
        }
    }

    fn said(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(e) if self.path.is_none() && e.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(|e| unwritable(self.path, &e)),
        }
    }
}

fn unwritable(path: Option<&Path>, error: &io::Error) -> Failure {
    Failure::usage(match path {
        Some(path) => format!("{} cannot be written: {error}.", path.display()),
        None => format!("Standard output cannot be written: {error}."),
    })
}

/// A table without lines, as wide as the terminal.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(header.iter().map(|h| h.to_uppercase()));
    table
}

/// Text for a terminal: what a tenant wrote may hold escapes; they are shown, not obeyed. Nothing that is printed goes
/// around this, whoever forgot [`clean`].
fn harmless(text: &str) -> String {
    let obeyed = |c: char| acts(c) && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// One fact within a line: a name with a line end in it would look like a line of ours.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_obeyed() {
        let name = "acme\u{1b}]0;owned\u{7}\u{9b}2J\r\n\u{25cf} succeeded\u{202e}";
        assert!(!clean(name).contains(acts), "{:?}", clean(name));
        assert_eq!(harmless("two\nlines\tand a \u{1b}[31mcolour"), "two\nlines\tand a \u{fffd}[31mcolour");
        assert_eq!(clean("Zo\u{eb} \u{5d0} \u{1f600}"), "Zo\u{eb} \u{5d0} \u{1f600}");
    }
}
