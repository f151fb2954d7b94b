//! Every mistake is reported at its place, with what to write instead.
//!
//! Each case is a sound catalogue (the skeleton of a new application and a few small files) with one thing changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::load::files::Files;
use crate::load::tree;
use crate::{Catalog, Loaded, scaffold};

const STANDARD: &str = "title = \"S\"\nversion = \"1\"\nsource = \"https://s.example\"\n\n[[control]]\nid = \"AC-2\"\ntitle = \"Accounts are managed\"\n";
const QUERY: &str = "query People($org: String!, $after: String) {\n  organization(login: $org) {\n    people(first: 100, after: $after) {\n      nodes { id: databaseId login ...More }\n      pageInfo { hasNextPage endCursor }\n    }\n  }\n}\nfragment More on User { name }\n";
const PEOPLE: &str = r#"
[[dataset]]
name = "people"
title = "People"
scans = ["accounts"]
permission = { token = ["people:read"] }
docs = "https://docs.example.com/people"
key = "id"

[[dataset.request]]
path = "/graphql"
graphql = "people.graphql"
variables = { org = "{workspace}" }
records = "data.organization.people.nodes"
paging = { kind = "graphql", at = "data.organization.people.pageInfo" }

[[dataset.field]]
name = "id"
type = "int"

[[dataset.field]]
name = "name"
type = "string"

[[dataset]]
name = "devices"
title = "Devices"
scans = ["accounts"]
permission = { token = [] }
docs = "https://docs.example.com/devices"
key = "id"
refresh_hours = 24

[[dataset.request]]
path = "/people/{each.id}/devices"
for_each = { dataset = "people", where = "name != ''" }
paging = { kind = "page", param = "page", size = 100 }

[[dataset.field]]
name = "id"
type = "string"

[[dataset.field]]
name = "owner"
type = "int"
each = "id"

[[dataset.field]]
name = "tags"
type = "list<string>"
transform = [{ split = "," }]
incomplete_at = "more_tags"

[[dataset]]
name = "notes"
title = "Notes of people"
scans = ["accounts"]
permission = { token = ["notes:read"] }
docs = "https://docs.example.com/notes"

[[dataset.request]]
path = "/people/{each.id}/notes"
for_each = { dataset = "people" }

[[dataset.field]]
name = "members_can_invite"
type = "bool"
"#;

/// A sound catalogue of one application `acme`.
pub(super) fn sound() -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = scaffold::app(&Catalog::default(), "acme")
        .expect("the id is free")
        .into_iter()
        .map(|f| (f.path, f.text))
        .collect();
    files.insert("standards/nist-800-53.toml".into(), STANDARD.into());
    files.insert("apps/acme/people.graphql".into(), QUERY.into());
    if let Some(app) = files.get_mut("apps/acme/app.toml") {
        let at = app.find("# How members become").expect("the skeleton has a mapping");
        app.insert_str(at, PEOPLE);
    }
    files
}

pub(super) fn load(files: &BTreeMap<String, String>) -> Loaded {
    tree::load_only(&[Files::memory(files.iter().map(|(p, t)| (p.as_str(), t.as_str())))])
}

/// The same as if it came with Parapet.
pub(super) fn load_builtin(files: &BTreeMap<String, String>) -> Loaded {
    let files = Files::memory(files.iter().map(|(p, t)| (p.as_str(), t.as_str())));
    tree::load_only(&[files.in_place_of_embedded()])
}

/// The errors after each change, as a text.
pub(super) fn report(file: &str, changes: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (from, to) in changes {
        let mut files = sound();
        let text = files.get_mut(file).expect("the file is there");
        assert_eq!(text.matches(from).count(), 1, "{from:?} stands once in {file}");
        *text = text.replace(from, to);
        let loaded = load(&files);
        assert!(!loaded.errors.is_empty(), "no error after {from:?} became {to:?}");
        let _ = writeln!(out, "{}  ->  {}", from.trim(), to.trim().replace('\n', "\\n"));
        for error in loaded.errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    out
}

/// Seventy levels of brackets.
const DEEP: &str = "{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{";
pub(super) const APP: &str = "apps/acme/app.toml";
const CHECK: &str = "apps/acme/checks/members-cannot-invite.md";

#[test]
fn the_base_is_sound() {
    let loaded = load(&sound());
    assert_eq!(loaded.errors, []);
    let app = loaded.catalog.apps.values().next().expect("one application");
    assert_eq!(app.supported().len(), 2);
    assert_eq!(app.checks.len(), 1);
}

#[test]
fn shape_of_the_manifest() {
    insta::assert_snapshot!(report(
        APP,
        &[
            ("revision = 1", "revisoin = 1"),
            ("revision = 1", "revision = \"1\""),
            ("revision = 1", "revision = 0"),
            ("revision = 1", "revision = 1\ncolour = \"red\""),
            ("vendor = \"acme", "vendor = acme"),
            ("name = \"Acme\"", "name = \" \""),
            ("kind = \"bearer\"", "kind = \"bearer\"\nheader = \"X\""),
            ("kind = \"bearer\"", "kind = \"baerer\""),
            ("kind = \"bearer\"", "kind = \"header\""),
            ("kind = \"bearer\"", "kind = \"header\"\nheader = \"Cookie\""),
            ("kind = \"bearer\"", ""),
            ("kind = \"page\", param = \"page\", size = 100", "kind = \"page\", parm = \"page\", size = 100"),
            ("type = \"bool\"\npath = \"invitations.by_members\"", "type = \"boolean\""),
            ("type = \"list<string>\"", "type = \"list<object>\""),
            ("null = \"absent\"", "null = \"never\""),
            ("null = \"absent\"", "null = { value = 7 }"),
            ("means = \"not_applicable\"", "means = \"not_there\""),
        ]
        .map(|(f, t)| if f == "vendor = \"acme" {
            ("vendor = \"Acme, Inc.\"", "vendor = Acme")
        } else {
            (f, t)
        })
    ));
}

#[test]
fn hosts_and_authentication() {
    insta::assert_snapshot!(report(
        APP,
        &[
            ("origin = \"https://api.example.com\"", "origin = \"http://api.example.com\""),
            ("origin = \"https://api.example.com\"", "origin = \"https://api.example.com/v1\""),
            ("origin = \"https://api.example.com\"", "origin = \"https://{workspace}.example.com\""),
            ("origin = \"https://api.example.com\"", ""),
            ("base = \"/v1\"", "base = \"v1/\""),
            ("base = \"/v1\"", "headers = { Authorization = \"Bearer x\" }"),
            ("base = \"/v1\"", "supported_until = \"next year\""),
            ("[deployment.hosts.main]", "[deployment.hosts.api]"),
            ("console = \"https://app.example.com\"", "console = \"{address}\""),
            ("granted = { header = \"X-Scopes\" }", "granted = { separator = \",\" }"),
            (
                "subject = { path = \"/me\", at = \"name\" }",
                "subject = { path = \"/me/{team}\", at = \"name\" }"
            ),
            ("tenant_uid = \"id\"", "tenant_uid = \"\""),
            ("example = \"acme\"", "example = \"a/b\""),
            ("example = \"acme\"", "pattern = \"[a-z\""),
            ("reason = \"The plan of this workspace does not have this setting.\"", ""),
            ("status = [402]", ""),
            ("status = [402]", "status = [40]"),
            ("docs = \"https://docs.example.com/api\"", "docs = \"http://docs.example.com/api\""),
        ]
    ));
}

#[test]
fn datasets_and_requests() {
    insta::assert_snapshot!(report(
        APP,
        &[
            ("scans = [\"config\"]\nrequired = [\"config\"]", "scans = [\"config\"]"),
            (
                "scans = [\"config\"]\nrequired = [\"config\"]",
                "scans = [\"config\"]\nrequired = [\"accounts\"]"
            ),
            ("permission = { token = [\"settings:read\"] }", "permission = { tokne = [\"settings:read\"] }"),
            ("permission = { token = [] }", ""),
            (
                "key = \"id\"\n\n[[dataset.request]]\npath = \"/workspaces",
                "[[dataset.request]]\npath = \"/workspaces"
            ),
            ("name = \"devices\"", "name = \"people\""),
            ("name = \"devices\"", "name = \"account\""),
            ("refresh_hours = 24", "refresh_hours = 0"),
            ("refresh_hours = 24", "filter_of = \"member\""),
            ("refresh_hours = 24", "deployments = [\"server\"]"),
            ("path = \"/workspaces/{workspace}/settings\"", "path = \"/workspaces/{workspce}/settings\""),
            ("path = \"/workspaces/{workspace}/settings\"", "path = \"/workspaces/../settings\""),
            ("path = \"/workspaces/{workspace}/settings\"", "path = \"/workspaces?x=1\""),
            ("path = \"/workspaces/{workspace}/settings\"", "host = \"mian\"\npath = \"/s\""),
            ("query = { limit = \"100\" }", "query = { cursor = \"1\" }"),
            ("query = { limit = \"100\" }", "headers = { Cookie = \"a=b\" }"),
            ("query = { limit = \"100\" }", "set = { amdin = true }"),
            ("query = { limit = \"100\" }", "set = { admin = \"yes\" }"),
            ("dataset = \"people\", where", "dataset = \"members2\", where"),
            ("dataset = \"people\", where = \"name != ''\"", "dataset = \"people\", where = \"nmae != ''\""),
            ("{each.id}/devices", "{each.uid}/devices"),
            ("{each.id}/devices", "{each}/devices"),
            ("each = \"id\"", "each = \"uid\""),
            ("each = \"id\"", "path = \"id\"\neach = \"id\""),
            ("incomplete_at = \"more_tags\"", "incomplete_at = \"a..b\""),
            ("transform = [{ split = \",\" }]", "transform = [\"present\"]"),
            ("name = \"tags\"", "name = \"now\""),
            ("name = \"two_factor\"", "name = \"admin\""),
            ("name = \"last_seen_at\"", "sensitive = \"hash\"\nname = \"last_seen_at\""),
        ]
    ));
}

#[test]
fn impossible_paging() {
    insta::assert_snapshot!(report(
        APP,
        &[
            ("kind = \"page\", param = \"page\", size = 100", "kind = \"page\", param = \"page\", size = 0"),
            (
                "kind = \"page\", param = \"page\", size = 100",
                "kind = \"page\", param = \"p\", size_param = \"p\", size = 5"
            ),
            (
                "kind = \"page\", param = \"page\", size = 100",
                "kind = \"offset\", param = \"p\", size = 5, bare_first = true"
            ),
            ("kind = \"page\", param = \"page\", size = 100", "kind = \"graphql\", at = \"data.pageInfo\""),
            ("kind = \"cursor\", at = \"next\"", "kind = \"cursor\", at = \"\""),
            ("kind = \"graphql\", at = \"data.organization.people.pageInfo\"", "kind = \"link\""),
            ("at = \"data.organization.people.pageInfo\"", "at = \"data.organization.pageInfo\""),
            ("people.pageInfo\" }", "people.pageInfo\", variable = \"cursor\" }"),
        ]
    ));
}

#[test]
fn graphql_documents() {
    insta::assert_snapshot!(report(
        "apps/acme/people.graphql",
        &[
            ("query People", "mutation People"),
            ("query People", "subscription People"),
            ("query People", "query Other { x }\nquery People"),
            ("login ...More }", "login ...More"),
            ("databaseId login ...More", "databaseId login"),
            ("$after: String)", "$after: String, $first: Int!)"),
            ("$after: String)", "$after: String!)"),
            ("hasNextPage endCursor", "endCursor"),
            ("login ...More", DEEP),
        ]
    ));
    insta::assert_snapshot!(
        "graphql_references",
        report(
            APP,
            &[
                ("graphql = \"people.graphql\"", "graphql = \"../people.graphql\""),
                ("graphql = \"people.graphql\"", "graphql = \"persons.graphql\""),
                ("variables = { org = \"{workspace}\" }", "variables = { organisation = \"{workspace}\" }"),
                (
                    "records = \"data.organization.people.nodes\"",
                    "records = \"data.organisation.people.nodes\""
                ),
            ]
        )
    );
}

#[test]
fn mappings() {
    insta::assert_snapshot!(report(
        APP,
        &[
            ("from = \"members\"\n\n[account.fields]", "from = \"member\"\n\n[account.fields]"),
            ("from = \"members\"\n\n[account.fields]", "from = \"settings\"\n\n[account.fields]"),
            ("id = \"id\"\nusername", "username"),
            ("privileged = \"admin\"", "privilegd = \"admin\""),
            ("privileged = \"admin\"", "privileged = \"name\""),
            ("privileged = \"admin\"", "privileged = \"admn == true\""),
            ("privileged = \"admin\"", "privileged = \"datasets.settings.exists(s, s.members_can_invite)\""),
        ]
    ));
}

#[test]
fn checks() {
    insta::assert_snapshot!(report(
        CHECK,
        &[
            ("+++\ntitle", "title"),
            ("title = \"Only administrators", "titel = \"Only administrators"),
            ("Only administrators can invite people", "Ensure only administrators invite"),
            ("Only administrators can invite people", "Short"),
            ("Only administrators can invite people", "Only administrators can invite people."),
            ("severity = \"medium\"", "severity = \"serious\""),
            ("over = \"settings\"", "over = \"setting\""),
            ("over = \"settings\"", "over = \"notes\""),
            ("over = \"settings\"", "over = \"settings\"\nscan = \"accounts\""),
            ("pass = \"members_can_invite == false\"", "pass = \"members_can_invit == false\""),
            ("pass = \"members_can_invite == false\"", "pass = \"members_can_invite ==\""),
            (
                "pass = \"members_can_invite == false\"",
                "pass = \"members_can_invite == false && size(datasets.members) > 0\""
            ),
            (
                "pass = \"members_can_invite == false\"",
                "pass = \"members_can_invite == false\"\nparams = { days = 3 }"
            ),
            (
                "pass = \"members_can_invite == false\"",
                "pass = \"members_can_invite == false\"\nwhen = \"members_can_invite\""
            ),
            ("nist-800-53/AC-2", "nist-800-53/AC-99"),
            ("nist-800-53/AC-2", "nist/AC-2"),
            ("every member can invite", "{who} can invite"),
            ("every member can invite", "{Who} can invite"),
            ("{console}/{workspace}/settings", "{workspace}/settings"),
            ("{console}/{workspace}/settings", "{console}/{team}/settings"),
            (
                "Whoever can invite decides who reads what is written here. Left to every member, accounts come into being that nobody approved and nobody removes.",
                "Why."
            ),
            ("## Remedy", "## Mending"),
            ("1. Open Settings, Invitations.\n2. Choose", "Choose"),
            ("save.", "save. <b>Now</b>"),
            ("save.", "save, see [the page](http://docs.example.com)."),
            ("save.", "save. ![picture](https://docs.example.com/a.png)"),
        ]
    ));
}

#[test]
fn examples_of_checks() {
    insta::assert_snapshot!(report(
        CHECK,
        &[
            ("```json inconclusive\n{}\n```", ""),
            ("json pass", "json passes"),
            ("{\"members_can_invite\": true}", "{\"members_can_invit\": true}"),
            ("{\"members_can_invite\": true}", "{\"members_can_invite\": \"yes\"}"),
            ("{\"members_can_invite\": true}", "{\"members_can_invite\": tru}"),
            ("{\"members_can_invite\": true}", "[]"),
            ("{\"members_can_invite\": true}", "{\"record\": {}, \"dataset\": {}}"),
            ("{\"members_can_invite\": true}", "{\"record\": {}, \"datasets\": {\"members\": []}}"),
            ("{\"members_can_invite\": true}", "{\"record\": {}, \"params\": {\"days\": 3}}"),
            ("{\"members_can_invite\": true}", "{\"record\": {}, \"now\": \"yesterday\"}"),
            ("{\"members_can_invite\": true}", "{\"datasets\": {}}"),
        ]
    ));
}

#[test]
fn files_that_do_not_belong() {
    let mut out = String::new();
    for (path, text) in [
        ("apps/acme/check/one.md", ""),
        ("apps/acme/unused.graphql", "{ a }"),
        ("apps/empty/onboarding.md", "x"),
        ("apps/Acme/app.toml", ""),
        ("shared/check/one.md", ""),
        ("standards/x.toml", "title = 1"),
        ("apps/acme/checks/Two_things.md", ""),
        (
            "retired.toml",
            "[[check]]\nid = \"acme/members-cannot-invite\"\nsince = \"2.0\"\nwhy = \"the setting is gone\"\n",
        ),
    ] {
        let mut files = sound();
        files.insert(path.to_owned(), text.to_owned());
        let _ = writeln!(out, "{path}");
        for error in load(&files).errors {
            let _ = writeln!(out, "    {error}");
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn one_bad_application_does_not_stop_the_others() {
    let mut files = sound();
    files.insert("apps/other/app.toml".into(), "name = 7".into());
    let loaded = load(&files);
    assert!(!loaded.errors.is_empty());
    assert_eq!(loaded.catalog.apps.keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["acme"]);
}

#[test]
fn one_bad_check_is_left_out_alone() {
    let mut files = sound();
    files.insert("apps/acme/checks/another.md".into(), "no front matter".into());
    let loaded = load(&files);
    assert_eq!(loaded.errors.len(), 1);
    assert_eq!(loaded.catalog.apps.values().map(|a| a.checks.len()).sum::<usize>(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let loaded = Catalog::load(&["/does/not/exist".into()]);
    assert!(!loaded.catalog.apps.is_empty(), "what is built in is there all the same");
    let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
    assert!(errors.iter().any(|e| e.starts_with("/does/not/exist:1:1: cannot be read")), "{errors:?}");
}

#[test]
fn a_second_folder_adds_and_never_shadows() {
    let base = sound();
    let base = Files::memory(base.iter().map(|(p, t)| (p.as_str(), t.as_str())));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("inside of the folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    for file in scaffold::app(&Catalog::default(), "beta").expect("the id is free") {
        let wrong = file.text.replace("{\"members_can_invite\": true}", "{\"members_can_invite\": false}");
        write(&file.path, if file.path.ends_with("invite.md") { &wrong } else { &file.text });
    }
    write("apps/acme/app.toml", "name = \"Impostor\"");
    let sound_check = sound().remove(CHECK).expect("it is there");
    write(CHECK, &sound_check);
    write("apps/acme/checks/one-more.md", &sound_check);
    write("standards/nist-800-53.toml", STANDARD);
    let mut errors = Vec::new();
    let second = Files::folder(folder.path(), &mut errors);
    assert_eq!(errors, []);
    let loaded = tree::load_only(&[base, second]);
    let acme = loaded.catalog.app(&"acme".into()).expect("it is there");
    let checks: Vec<_> = acme.checks.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(checks, ["acme/members-cannot-invite", "acme/one-more"]);
    let names: Vec<_> = loaded.catalog.apps.values().map(|a| (a.manifest.name.as_str(), a.builtin)).collect();
    assert_eq!(names, [("Acme", true), ("Beta", false)]);
    let root = folder.path().display().to_string();
    let lines: Vec<String> = loaded.errors.iter().map(|e| e.to_string().replace(&root, "<folder>")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// A file of the operator's may hold anything: the loader reports, and never panics or hangs.
    #[test]
    fn damaged_files_are_reported_not_fatal(
        which in 0usize..5,
        at in 0.0f64..1.0,
        cut in 0usize..40,
        put in proptest::sample::select(vec![
            "", "{", "}", "[", "]]", "\"", "'''", "\"\"\"", "+++\n", "```json pass\n", "\u{0}", "ü", "{each}", "{a.b}", "= 1\n",
            "[[dataset]]\n", "[[dataset.field]]\n", "kind = \"page\"", "datasets.x", "...More", "fragment More on X { ...More }",
            "99999999999999999999", "<script>", "\n", "<!--", "(((((((((((", "!!!!!!!!!!!!!!!!!!!!!!!!",
        ]),
    ) {
        let mut files = sound();
        let path = files.keys().nth(which).expect("there are six files").clone();
        let text = files.get_mut(&path).expect("it is there");
        let floor = |text: &str, mut at: usize| { while !text.is_char_boundary(at) { at -= 1; } at };
        let start = floor(text, (text.len() as f64 * at) as usize);
        let end = floor(text, (start + cut).min(text.len()));
        text.replace_range(start..end, put);
        let whole = text.clone();
        let loaded = load(&files);
        for error in loaded.errors {
            let lines = files.get(&error.file.display().to_string()).map_or(1, |t| t.lines().count() + 1);
            proptest::prop_assert!(error.line >= 1 && error.line <= lines, "{error} in\n{whole}");
        }
    }
}
