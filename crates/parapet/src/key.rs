//! Sealing keys: made, read from a file or from the environment. Without one nothing starts.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use model::entropy::Entropy as _;
use store::SealingKey;

use crate::cli::KeyCommand;
use crate::failure::Failure;
use crate::{output, wiring};

/// The environment variable with the key in hexadecimal digits.
const VARIABLE: &str = "PARAPET_SEALING_KEY";

pub(crate) fn run(command: &KeyCommand) -> Result<ExitCode, Failure> {
    let KeyCommand::New { file } = command;
    let mut bytes = [0u8; 32];
    engine::clock::SystemEntropy.fill(&mut bytes);
    let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let mut to =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(|e| {
            Failure::usage(format!(
                "The key cannot be written to {}: {e}. Nothing was overwritten.",
                file.display()
            ))
        })?;
    writeln!(to, "{text}").map_err(|e| Failure::usage(format!("The key was not written whole: {e}.")))?;
    output::say(&format!(
        "Wrote a new sealing key to {}. Keep a copy apart from the database's backups: without it stored credentials cannot be read.",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The key from the environment or else from the file.
pub(crate) fn load(file: &Path) -> Result<SealingKey, Failure> {
    if let Some(text) = wiring::environment(VARIABLE) {
        return SealingKey::from_hex(&text).map_err(|e| Failure::usage(format!("{VARIABLE}: {e}.")));
    }
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::usage(format!(
            "There is no sealing key at {shown}, and {VARIABLE} is not set. Make one with `parapet key new {shown}`, or restore the \
             one this database was created with."
        )),
        _ => Failure::usage(format!("The sealing key {shown} cannot be read: {e}.")),
    })?;
    let mode = std::fs::metadata(file).map(|m| m.permissions().mode() & 0o077).unwrap_or(0);
    if mode != 0 {
        tracing::warn!(file = %shown, "the sealing key can be read by others than its owner; run chmod 600 on it");
    }
    SealingKey::from_hex(&text).map_err(|e| Failure::usage(format!("{shown}: {e}.")))
}
