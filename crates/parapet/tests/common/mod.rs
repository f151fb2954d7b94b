//! The built binary, run as people run it: arguments, an environment of its own, a folder to work in.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::Path;
use std::process::Command;

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit code.
    pub code: Option<i32>,
}

impl Ran {
    /// The JSON it printed.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Fails unless it ended so.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Fails unless both streams together say all of this.
    #[track_caller]
    pub fn says(self, all: &[&str]) -> Self {
        for text in all {
            assert!(
                self.out.contains(text) || self.err.contains(text),
                "it does not say {text:?}:\n{}\n{}",
                self.out,
                self.err
            );
        }
        self
    }
}

/// Runs the binary in a folder with nothing but this environment.
pub fn parapet(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_parapet"))
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the binary under test starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
}
