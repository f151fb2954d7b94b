//! Running other programs, with errors that name the program and what to do.

use crate::Result;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// How a command is written in messages: its program and arguments, shortened.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs `command` with this process's own output; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs `command` quietly and returns its standard output; on failure the error carries what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.output().map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&out.stderr);
    Err(format!("`{}` failed ({})\n{}{}", shown(command), out.status, text, errors))
}

/// Runs `command` with `text` as its standard input; an exit code other than 0 is an error.
pub(crate) fn input(command: &mut Command, text: &str) -> Result {
    let started = command.stdin(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(text.as_bytes()));
    let status = child.wait().map_err(|error| format!("waiting for `{}`: {error}", shown(command)))?;
    written.map_err(|error| format!("`{}` did not read its input: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs `command`, shows its output as it comes, and returns it together with whether the exit code was 0.
pub(crate) fn tee(command: &mut Command) -> Result<(bool, String)> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    let stdout = child.stdout.take().map(|pipe| std::thread::spawn(move || copy(pipe, std::io::stdout())));
    let stderr = child.stderr.take().map(|pipe| std::thread::spawn(move || copy(pipe, std::io::stderr())));
    let mut text = String::new();
    for reader in [stdout, stderr].into_iter().flatten() {
        text.push_str(&reader.join().map_err(|_| "reading a program's output failed".to_owned())?);
    }
    let status = child.wait().map_err(|error| format!("waiting for `{}`: {error}", shown(command)))?;
    Ok((status.success(), text))
}

fn copy(from: impl std::io::Read, mut to: impl Write) -> String {
    let mut text = String::new();
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        // A closed console is no reason to stop reading: the program would block on a full pipe.
        let _ = writeln!(to, "{line}");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Whether two files hold the same bytes; a missing file equals nothing.
pub(crate) fn same_content(one: &Path, other: &Path) -> bool {
    match (std::fs::read(one), std::fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
