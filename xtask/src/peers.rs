//! `cargo xtask peers`: starts each server the tests talk to once, so that a broken installation has one clear message.

use crate::stages::{Stages, seconds};
use crate::{Result, tools};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Starts and stops every peer.
pub(crate) fn peers() -> Result {
    let folder = std::env::temp_dir().join(format!("parapet-peers-{}", std::process::id()));
    let mut stages = Stages::default();
    stages.stage("GitHub emulator", || answers(&["github"]));
    stages.stage("Canaille", || answers(&["canaille", "--dir", &folder.to_string_lossy()]));
    let hub = folder.join("hub");
    stages.stage("JupyterHub", || answers(&["jupyterhub", "--dir", &hub.to_string_lossy()]));
    let sign_on = folder.join("glewlwyd");
    stages.stage("Glewlwyd", || answers(&["glewlwyd", "--dir", &sign_on.to_string_lossy()]));
    let mail = folder.join("mail");
    stages.stage("aiosmtpd", || {
        std::fs::create_dir_all(&mail).map_err(|error| format!("cannot make {}: {error}", mail.display()))?;
        answers(&["mail", "--dir", &mail.to_string_lossy()])
    });
    stages.stage("contract (Prism and graphql-js)", || {
        answers(&["contract", "--upstream", "http://127.0.0.1:9"])
    });
    // The folder may never have been made.
    let _ = std::fs::remove_dir_all(&folder);
    stages.finish_untested()
}

/// Starts one peer, waits for its line, and ends it by closing its standard input.
fn answers(arguments: &[&str]) -> Result {
    let began = Instant::now();
    let mut peer = Command::new(tools::root().join("e2e/peers/peer"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start e2e/peers/peer: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = peer.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| format!("reading the peer's line: {error}"))?;
    }
    let took = began.elapsed();
    drop(peer.stdin.take());
    let ended = peer.wait_with_output().map_err(|error| format!("waiting for the peer: {error}"))?;
    let facts: serde_json::Value = serde_json::from_str(&line)
        .map_err(|_| format!("no answer: {}", String::from_utf8_lossy(&ended.stderr)))?;
    println!("answered at {} after {}", facts["url"].as_str().unwrap_or("?"), seconds(took));
    if ended.status.success() { Ok(()) } else { Err(format!("ended with {}", ended.status)) }
}
