//! Targets for fuzzing: each a function that is handed any bytes and panics where something does not hold that must hold
//! for all of them.
//!
//! `cargo xtask fuzz` feeds them by libFuzzer, guided by coverage; the tests here feed them what lies in `corpus/`, and
//! seeded changes of it, with the ordinary toolchain.

mod answers;
mod bench;
mod catalogue;
mod expressions;
mod input;
mod messages;
mod pages;
mod paging;
mod records;
mod tape;

/// One target.
#[derive(Debug)]
pub struct Target {
    /// Its name, which is also the name of its folder in `corpus/`.
    pub name: &'static str,
    /// What it asserts, in a line.
    pub about: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
    /// How many changed inputs an ordinary test tries; fewer where one takes long.
    pub changes: u32,
}

/// All targets.
pub const TARGETS: [Target; 15] = [
    Target {
        name: "expr_parse",
        about: "what is parsed, written down and parsed again is the same tree",
        run: expressions::parse,
        changes: 4_000,
    },
    Target {
        name: "expr_eval",
        about: "evaluation stays within its steps; no value in place of an unknown turns a decided answer",
        run: expressions::eval,
        changes: 3_000,
    },
    Target {
        name: "manifest",
        about: "a manifest loads, or errors name the file and a place in it",
        run: catalogue::manifest,
        changes: 300,
    },
    Target {
        name: "check",
        about: "a check loads, or errors name the file and a place in it",
        run: catalogue::check,
        changes: 300,
    },
    Target {
        name: "extract",
        about: "records have the types that are declared, and secrets leave only a mark",
        run: records::extract,
        changes: 2_000,
    },
    Target {
        name: "answer_rules",
        about: "no answer becomes good news that neither HTTP nor a rule calls so; no secret in what is said",
        run: answers::judge,
        changes: 2_000,
    },
    Target {
        name: "link_header",
        about: "a next page that a well-formed Link header names is found; a header that cannot be read is no end",
        run: paging::link_header,
        changes: 3_000,
    },
    Target {
        name: "next_link",
        about: "the address of a next page has the pinned origin and carries no credential",
        run: paging::next_link,
        changes: 3_000,
    },
    Target {
        name: "tape",
        about: "a tape is read back as it was written; errors name a place in it",
        run: tape::tape,
        changes: 3_000,
    },
    Target {
        name: "session_cookie",
        about: "nobody is signed in but by the exact cookie",
        run: pages::cookie,
        changes: 100,
    },
    Target {
        name: "requests",
        about: "no request and no form is answered by an error of the server",
        run: pages::request,
        changes: 150,
    },
    Target {
        name: "mail_headers",
        about: "a mail has its own headers and no other, each one line",
        run: messages::mail,
        changes: 1_000,
    },
    Target {
        name: "syslog",
        about: "a message is one line, and its data reads back as it was",
        run: messages::syslog,
        changes: 2_000,
    },
    Target {
        name: "slack",
        about: "no text mentions, links or formats by itself",
        run: messages::slack,
        changes: 2_000,
    },
    Target {
        name: "spreadsheet",
        about: "cells read back as they were, and none is a formula",
        run: messages::spreadsheet,
        changes: 3_000,
    },
];
