//! `parapet backup` and `parapet restore`: the database as one file, and back, into a database of either kind.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use store::archive::{self, Contents};

use crate::cli::{BackupArgs, RestoreArgs};
use crate::failure::Failure;
use crate::output::say;
use crate::{config, key, wiring};

pub(crate) async fn back_up(args: BackupArgs) -> Result<ExitCode, Failure> {
    let config = config::load(args.config.config.as_deref())?;
    let shown = args.output.display();
    if args.output.exists() {
        return Err(Failure::usage(format!("{shown} exists already; a backup is never overwritten.")));
    }
    // Beside its place, and moved there when it is whole: what has the name can be restored.
    let mut unfinished = args.output.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let contents = written(&config.database, unfinished).await;
    let moved = contents.and_then(|contents| {
        fs::hard_link(unfinished, &args.output)
            .map_err(|e| Failure::usage(format!("The backup cannot be written to {shown}: {e}.")))?;
        Ok(contents)
    });
    // Also after a failure: it is of no use. That it cannot be removed is no reason to say otherwise of the backup.
    let removed = fs::remove_file(unfinished);
    let contents = moved?;
    if let Err(e) = removed {
        crate::output::note(&format!("{} could not be removed: {e}.", unfinished.display()));
    }
    say(&format!(
        "Wrote {} rows to {shown}. Credentials in it are sealed: it is worth nothing without the sealing key, which is not in it.",
        contents.rows()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn written(database: &str, to: &Path) -> Result<Contents, Failure> {
    let unwritten =
        |e: std::io::Error| Failure::usage(format!("The backup cannot be written to {}: {e}.", to.display()));
    // Findings tell where to attack: for this user only.
    let mut open = OpenOptions::new();
    let file = open.write(true).create(true).truncate(true).mode(0o600).open(to).map_err(unwritten)?;
    let contents = archive::back_up(database, wiring::now(), &file).await?;
    file.sync_all().map_err(unwritten)?;
    Ok(contents)
}

pub(crate) async fn restore(args: RestoreArgs) -> Result<ExitCode, Failure> {
    let config = config::load(args.config.config.as_deref())?;
    let key = key::load(&config.sealing_key_file)?;
    let shown = args.input.display();
    let file = File::open(&args.input)
        .map_err(|e| Failure::usage(format!("The backup {shown} cannot be read: {e}.")))?;
    let contents = archive::restore(&config.database, &key, wiring::now(), file).await?;
    say(&format!(
        "Restored {} rows of {shown}, which was made at {} from schema version {}. Everyone has to sign in again; scans that became due meanwhile run first.",
        contents.rows(),
        contents.made_at,
        contents.schema
    ));
    Ok(ExitCode::SUCCESS)
}
