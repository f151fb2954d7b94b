//! `parapet app new` and `parapet check new`: skeletons that load and pass as written.

use std::path::Path;
use std::process::ExitCode;

use catalog::Catalog;
use catalog::scaffold::{self, NewFile};

use crate::failure::Failure;
use crate::output::say;

/// Writes the folder of a new application.
pub(crate) fn app(folder: &Path, id: &str) -> Result<ExitCode, Failure> {
    let catalog = with(folder);
    let files = scaffold::app(&catalog, id).map_err(|why| Failure::usage(format!("{why}.")))?;
    write(folder, &files)?;
    say(&format!(
        "Next: describe the application in {}, then\n  parapet app try {}\nEvery word: parapet app words",
        folder.join("apps").join(id).join("app.toml").display(),
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes a new check.
pub(crate) fn check(folder: &Path, id: &str, over: &str) -> Result<ExitCode, Failure> {
    if !folder.is_dir() {
        return Err(Failure::usage(format!(
            "There is no folder {}. `parapet app new {} ID` makes one.",
            folder.display(),
            folder.display()
        )));
    }
    let file = scaffold::check(&with(folder), id, over).map_err(|why| Failure::usage(format!("{why}.")))?;
    write(folder, &[file])?;
    say(&format!(
        "Next: state the question and its examples, then\n  parapet app try {}\nThe language: parapet check language",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn with(folder: &Path) -> Catalog {
    if folder.is_dir() { Catalog::load(&[folder.to_owned()]).catalog } else { Catalog::builtin().catalog }
}

/// Writes all of the files or none: one that exists is never touched.
fn write(folder: &Path, files: &[NewFile]) -> Result<(), Failure> {
    if let Some(there) = files.iter().map(|f| folder.join(&f.path)).find(|p| p.exists()) {
        return Err(Failure::usage(format!("{} exists and is not overwritten.", there.display())));
    }
    for file in files {
        let path = folder.join(&file.path);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, &file.text))
            .map_err(|e| Failure::usage(format!("{} cannot be written: {e}.", path.display())))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}
