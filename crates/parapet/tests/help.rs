//! `--help` of every command, as people read it; and what the command line says to impossible input.

use std::process::Command;

fn parapet(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_parapet"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary under test starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn every_command_explains_itself_with_examples() {
    for command in [
        &["scan"][..],
        &["serve"],
        &["demo"],
        &["app", "list"],
        &["app", "add"],
        &["app", "show"],
        &["app", "remove"],
        &["app", "new"],
        &["app", "words"],
        &["app", "try"],
        &["check", "list"],
        &["check", "show"],
        &["check", "explain"],
        &["check", "new"],
        &["check", "language"],
        &["check", "eval"],
        &["findings", "export"],
        &["key", "new"],
        &["doctor"],
        &["backup"],
        &["restore"],
        &["digest", "preview"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let (out, _, code) = parapet(&arguments);
        assert_eq!(code, Some(0), "{command:?}");
        assert!(out.contains("Examples:\n  "), "{command:?} has no examples:\n{out}");
        insta::assert_snapshot!(command.join("-"), out);
    }
    insta::assert_snapshot!("top", parapet(&["--help"]).0);
}

#[test]
fn impossible_input_is_refused_with_a_remedy_and_exit_code_2() {
    for (arguments, says) in [
        (&["scan", "gihtub"][..], "The catalogue has no product gihtub. It has: github, "),
        (&["scan", "github"], "Organisation is needed: add --set organization="),
        (&["scan", "github", "--set", "organization=acme", "--auth", "token"], "PARAPET_TOKEN is not set"),
        (
            &["scan", "github", "--set", "organisation=acme", "--set", "organization=a"],
            "has no setting organisation",
        ),
        (&["serve"], "There is no sealing key at parapet.key"),
        (&["check", "show", "github/nonsense"], "There is no check github/nonsense"),
        (&["app", "try", "no-such-folder"], "There is no folder no-such-folder"),
    ] {
        let (out, err, code) = parapet(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {out}{err}");
        assert!(err.contains(says), "{arguments:?} says: {err}");
    }
}

#[test]
fn a_configuration_with_an_unknown_field_names_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("parapet.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\n\n[outbound]\nproxi = \"http://x\"\n").expect("written");
    let (_, err, code) = parapet(&["serve", "--config", &file.display().to_string()]);
    assert_eq!(code, Some(2));
    assert!(err.contains("parapet.toml:4:1"), "{err}");
    assert!(err.contains("proxi"), "{err}");
}

#[test]
fn an_expression_over_a_record_tells_what_decided_it_and_what_was_unknown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("record.json");
    std::fs::write(&file, r#"{"two_factor": false, "role": "admin"}"#).expect("written");
    let record = file.display().to_string();
    let (out, err, code) = parapet(&["check", "eval", "two_factor == true", "--record", &record]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("false\n") && out.contains("decided by two_factor = false"), "{out}");
    let (out, err, _) = parapet(&["check", "eval", "age_days > 30", "--record", &record]);
    assert!(out.starts_with("unknown\n") && out.contains("unknown: age_days"), "{out}{err}");
}
