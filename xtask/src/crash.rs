//! `cargo xtask crash`: the kills of `crates/parapet/tests/processes`, as often as is asked for.

use crate::{Result, postgres::Postgres, run, tools};
use std::process::Command;

/// Kills a database unless told otherwise.
const TIMES: u32 = 200;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    times: u32,
    seed: Option<u64>,
    databases: Vec<&'static str>,
}

fn asked(arguments: &[String]) -> Result<Asked> {
    let mut asked = Asked { times: TIMES, seed: None, databases: vec!["sqlite", "postgresql"] };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: {value} is no number"));
        match name.as_str() {
            "--times" => {
                asked.times =
                    u32::try_from(number()?).map_err(|_| format!("{name}: {value} is too often"))?;
            }
            "--seed" => asked.seed = Some(number()?),
            "--database" => {
                let known = asked.databases.iter().copied().find(|known| known == value);
                asked.databases = vec![known.ok_or_else(|| format!("{name}: sqlite or postgresql"))?];
            }
            _ => return Err(format!("no option {name}; there are --times, --seed and --database")),
        }
    }
    Ok(asked)
}

/// Kills a server so often on each database, and says what was found.
pub(crate) fn crash(arguments: &[String]) -> Result {
    let asked = asked(arguments)?;
    for database in asked.databases {
        let postgres = if database == "postgresql" { Some(Postgres::start()?) } else { None };
        let mut command = Command::new("cargo");
        command
            .current_dir(tools::root())
            .args(["test", "--quiet", "--package", "parapet", "--test", "processes", "--"])
            .args(["--exact", &format!("kill::kills_on_{database}"), "--nocapture"])
            .env("PARAPET_TEST_KILLS", asked.times.to_string());
        if let Some(seed) = asked.seed {
            command.env("PARAPET_TEST_SEED", seed.to_string());
        }
        if let Some(postgres) = &postgres {
            command.env("PARAPET_TEST_POSTGRES_URL", postgres.url());
        }
        run::run(&mut command)?;
    }
    Ok(())
}

#[cfg(test)]
mod options {
    use super::*;

    fn read(text: &str) -> Result<Asked> {
        asked(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_or_refused() {
        let all = Asked { times: 200, seed: None, databases: vec!["sqlite", "postgresql"] };
        assert_eq!(read(""), Ok(all));
        let one = Asked { times: 3, seed: Some(7), databases: vec!["sqlite"] };
        assert_eq!(read("--times 3 --seed 7 --database sqlite"), Ok(one));
        for wrong in ["--times", "--times x", "--database mysql", "--tims 3", "--times 99999999999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
