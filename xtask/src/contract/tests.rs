//! The whole way, for a tiny description in each language: cut, write, read back, prove; and a wrong address, field, type and
//! parameter refused with its line.

use super::facts::Facts;
use super::graphql::Schema;
use super::pages::{self, Pages};
use super::prove::{How, Known, Report, prove};
use super::shares::failures;
use super::{Folder, asks, csdl, discovery, graphql_cut, openapi, scim};
use std::collections::BTreeMap;

type Wanted = [(String, Vec<String>)];

/// What the manifest comes to after facts were cut by `describe`, written and read back.
fn proven_by(
    manifest: &str,
    pages_text: &str,
    described: bool,
    describe: impl FnOnce(&Wanted, &mut Facts),
) -> Report {
    let asked = asks::of(manifest).unwrap();
    let pages = pages::read(pages_text).unwrap();
    let wanted: Vec<_> = asked.iter().map(|one| (one.method.clone(), one.addresses.clone())).collect();
    let mut facts = Facts::default();
    describe(&wanted, &mut facts);
    let prove_by = |facts: &Facts| {
        let mut facts = facts.clone();
        facts.add(pages.facts.clone()).unwrap();
        prove(
            &asked,
            &Known { facts: &facts, described, schema: None, documents: &BTreeMap::new(), pages: &pages },
        )
        .unwrap()
    };
    facts.types = prove_by(&facts).seen.prune(&facts.types);
    let committed = Facts::read(&facts.write()).unwrap();
    prove_by(&committed)
}

fn proven(manifest: &str, pages: &str, describe: impl FnOnce(&Wanted, &mut Facts)) -> Report {
    proven_by(manifest, pages, true, describe)
}

/// Proves `good`, and that each replacement in it is refused with the message.
fn refuses(good: &str, pages: &str, describe: impl Fn(&Wanted, &mut Facts), mistakes: &[(&str, &str, &str)]) {
    assert_eq!(failures("x", &proven(good, pages, &describe)), [""; 0]);
    for (right, wrong, expected) in mistakes {
        assert!(good.contains(right), "{right}");
        let found = failures("x", &proven(&good.replacen(right, wrong, 1), pages, &describe));
        assert!(found.iter().any(|one| one == expected), "{right} -> {wrong}: {found:#?}");
    }
}

const OPENAPI: &str = r##"{
  "servers": [{ "url": "https://api.example.com/v1" }],
  "paths": { "/users": { "get": {
    "parameters": [{ "in": "query", "name": "role", "schema": { "type": "string", "enum": ["admin", "member"] } }, { "in": "query", "name": "limit", "schema": { "type": "integer", "maximum": 200 } }],
    "responses": { "200": { "content": { "application/json": { "schema": { "type": "object", "properties": { "items": { "type": "array", "items": { "$ref": "#/components/schemas/User" } }, "next": { "type": "string" } } } } } } }
  } } },
  "components": { "schemas": { "User": { "properties": { "id": { "type": "integer" }, "mail": { "type": "string" }, "groups": { "type": "array", "items": { "properties": { "name": { "type": "string" } } } } } } } }
}"##;

const REST: &str = r#"
[[deployment]]
[deployment.hosts.main]
origin = "https://api.example.com"
base = "/v1"
[[dataset]]
name = "users"
request = [{ path = "/users", query = { role = "admin", limit = "100" }, records = "items", paging = { kind = "next_url", at = "next" } }]
field = [
  { name = "id", type = "int" },
  { name = "mail", type = "string" },
  { name = "groups", type = "list<string>", transform = [{ pluck = "name" }] },
]
"#;

#[test]
fn openapi() {
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        openapi::describe(&serde_json::from_str(OPENAPI).unwrap(), None, wanted, facts).unwrap();
    };
    let at = "catalog/apps/x/app.toml";
    let mistakes = [
        ("base = \"/v1\"", "base = \"/v2\"", format!("{at}:8: GET /users: no such request is described")),
        ("path = \"/users\"", "path = \"/user\"", format!("{at}:8: GET /user: no such request is described")),
        (
            "name = \"mail\"",
            "name = \"email\"",
            format!("{at}:11: users.email: no answer has email; there are groups, id, mail"),
        ),
        (
            "type = \"int\"",
            "type = \"bool\"",
            format!("{at}:10: users.id: declared bool, described as integer"),
        ),
        (
            "type = \"list<string>\"",
            "type = \"string\"",
            format!("{at}:12: users.groups: declared string, described as [string]"),
        ),
        (
            "pluck = \"name\"",
            "pluck = \"nam\"",
            format!("{at}:12: users.groups: no answer has groups.*.nam; there are name"),
        ),
        (
            "{ pluck = \"name\" }",
            "\"lower\"",
            format!(
                "{at}:12: users.groups: groups is described as [object], to which `lower` does not apply"
            ),
        ),
        (
            "{ pluck = \"name\" }",
            "{ pivot = { key = \"name\", value = \"size\" } }",
            format!("{at}:12: users.groups: no answer has groups.*.size; there are name"),
        ),
        (
            "{ pluck = \"name\" }",
            "{ pivot = { key = \"name\", value = \"name\" } }",
            format!("{at}:12: users.groups: declared list<string>, described as {{string}}"),
        ),
        (
            "records = \"items\"",
            "records = \"users\"",
            format!("{at}:8: users#records: no answer has users; there are items, next"),
        ),
        (
            "at = \"next\"",
            "at = \"cursor\"",
            format!("{at}:8: users#paging.at: no answer has cursor; there are items, next"),
        ),
        (
            "role = \"admin\"",
            "role = \"owner\"",
            format!("{at}:8: GET /users?role: 'owner' is none of admin, member"),
        ),
        ("limit = \"100\"", "limit = \"all\"", format!("{at}:8: GET /users?limit: 'all' is no whole number")),
        ("limit = \"100\"", "limit = \"300\"", format!("{at}:8: GET /users?limit: 300 is more than 200")),
        (
            "limit =",
            "size =",
            format!("{at}:8: GET /users?size: no such parameter is described; there are limit, role"),
        ),
    ];
    let mistakes: Vec<_> =
        mistakes.iter().map(|(right, wrong, expected)| (*right, *wrong, expected.as_str())).collect();
    refuses(REST, "", describe, &mistakes);
}

#[test]
fn a_page_stands_in_for_what_the_description_lacks_and_goes_stale() {
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        openapi::describe(&serde_json::from_str(OPENAPI).unwrap(), None, wanted, facts).unwrap();
    };
    let manifest = REST.replace("name = \"mail\"", "name = \"email\"");
    let page = "[[page]]\nurl = \"https://docs.example.com/users\"\nread_at = \"2026-11-23\"\nshows = [\"users.email\"]\n";
    let report = proven(&manifest, page, describe);
    assert_eq!(failures("x", &report), [""; 0]);
    let email = report.items.iter().find(|item| item.id == "users.email").unwrap();
    assert_eq!(email.how, How::Page("https://docs.example.com/users (read 2026-11-23)".to_owned()));
    assert_eq!(
        failures("x", &proven(REST, page, describe)),
        ["catalog/apps/x/contract/pages.toml: users.email: nothing needs it any more; take it out"]
    );
    // A description that says otherwise is overruled by a page that names the field, not by one that covers it by the way.
    let wrong = REST.replace("type = \"int\"", "type = \"bool\"");
    let contradiction = "catalog/apps/x/app.toml:10: users.id: declared bool, described as integer";
    for (entry, expected) in [("users.*", contradiction), ("users.id", "")] {
        let found = failures("x", &proven(&wrong, &page.replace("users.email", entry), describe));
        assert_eq!(found.first().map_or("", String::as_str), expected, "{entry}");
    }
    let noted = failures("x", &proven(&wrong, "[notes]\nonly = [\"users.id\"]\n", describe));
    assert!(noted.iter().any(|one| one == contradiction), "{noted:?}");
    // Notes are never silent where the vendor has a description, and are told where it has none.
    let noted = proven(&manifest, "[notes]\nonly = [\"users.email\"]\n", describe);
    assert!(noted.items.iter().any(|item| item.id == "users.email" && item.how == How::Notes));
    let nothing = proven_by(&manifest, "", false, |_, _| {});
    assert!(nothing.items.iter().all(|item| item.how == How::Notes));
}

#[test]
fn one_of_a_datasets_requests_suffices_but_a_path_of_its_own_must_hold() {
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        let text = OPENAPI.replacen("\"/users\": {", "\"/guests\": { \"get\": { \"responses\": { \"200\": { \"content\": { \"application/json\": { \"schema\": { \"properties\": { \"uid\": { \"type\": \"integer\" } } } } } } } } }, \"/users\": {", 1);
        openapi::describe(&serde_json::from_str(&text).unwrap(), None, wanted, facts).unwrap();
    };
    let two = REST.replace("request = [", "request = [\n  { path = \"/guests\", paths = { id = \"uid\" } },");
    refuses(
        &two,
        "",
        describe,
        &[(
            "id = \"uid\"",
            "id = \"id\"",
            "catalog/apps/x/app.toml:9: users.id: no answer has id; there are uid",
        )],
    );
}

#[test]
fn discovery() {
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        let json = serde_json::json!({
            "name": "dir", "version": "v1", "rootUrl": "https://api.example.com/", "servicePath": "",
            "resources": { "users": { "methods": { "list": { "httpMethod": "GET", "path": "v1/users",
                "parameters": {
                    "role": { "location": "query", "type": "string", "enum": ["admin"], "required": true },
                    "limit": { "location": "query", "type": "integer" }
                },
                "response": { "$ref": "Users" } } } } },
            "schemas": {
                "Users": { "type": "object", "properties": { "items": { "type": "array", "items": { "$ref": "User" } }, "next": { "type": "string" } } },
                "User": { "type": "object", "properties": {
                    "id": { "type": "string", "format": "int64" }, "mail": { "type": "string" },
                    "groups": { "type": "array", "items": { "type": "object", "properties": { "name": { "type": "string" } } } }
                } }
            }
        });
        discovery::describe(&json, wanted, facts).unwrap();
    };
    let at = "catalog/apps/x/app.toml";
    let mistakes = [
        (
            "origin = \"https://api.",
            "origin = \"https://other.",
            format!("{at}:8: GET /users: no such request is described"),
        ),
        (
            "name = \"mail\"",
            "name = \"email\"",
            format!("{at}:11: users.email: no answer has email; there are groups, id, mail"),
        ),
        (
            "type = \"int\"",
            "type = \"timestamp\"",
            format!("{at}:10: users.id: declared timestamp, described as integer"),
        ),
        ("role = \"admin\", ", "", format!("{at}:8: GET /users: it needs the parameter role")),
    ];
    let mistakes: Vec<_> =
        mistakes.iter().map(|(right, wrong, expected)| (*right, *wrong, expected.as_str())).collect();
    refuses(REST, "", describe, &mistakes);
}

#[test]
fn csdl() {
    const MODEL: &str = r#"<Edmx><Schema Namespace="a.b" Alias="b">
      <EntityType Name="user"><Property Name="id" Type="Edm.Int32"/><Property Name="mail" Type="Edm.String"/>
        <NavigationProperty Name="groups" Type="Collection(b.group)"/></EntityType>
      <EntityType Name="group"><Property Name="name" Type="Edm.String"/></EntityType>
      <EntityContainer Name="c"><EntitySet Name="users" EntityType="a.b.user"/></EntityContainer>
    </Schema></Edmx>"#;
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        csdl::describe(MODEL, "https://api.example.com/v1", wanted, facts).unwrap();
    };
    let manifest = REST
        .replace(
            "role = \"admin\", limit = \"100\"",
            "\"$select\" = \"id,mail\", \"$expand\" = \"groups($select=name)\", \"$top\" = \"5\"",
        )
        .replace("records = \"items\"", "records = \"value\"")
        .replace("at = \"next\"", "at = \"@odata.nextLink\"");
    let at = "catalog/apps/x/app.toml";
    let mistakes = [
        (
            "path = \"/users\"",
            "path = \"/people\"",
            format!("{at}:8: GET /people: no such request is described"),
        ),
        (
            "name = \"mail\"",
            "name = \"email\"",
            format!("{at}:11: users.email: no answer has email; there are @odata.type, groups, id, mail"),
        ),
        (
            "type = \"int\"",
            "type = \"list<int>\"",
            format!("{at}:10: users.id: declared list<int>, described as integer"),
        ),
        (
            "\"id,mail\"",
            "\"id,email\"",
            format!("{at}:8: GET /users?$select: there is no email; there are @odata.type, groups, id, mail"),
        ),
        (
            "\"groups($",
            "\"group($",
            format!("{at}:8: GET /users?$expand: there is no group; there are @odata.type, groups, id, mail"),
        ),
        (
            "\"$expand\" = \"groups($select=name)\", ",
            "",
            format!("{at}:12: users.groups: groups is answered only where $expand names it"),
        ),
        ("\"id,mail\"", "\"id\"", format!("{at}:11: users.mail: $select leaves mail out")),
        (
            "\"$top\" = \"5\"",
            "top = \"5\"",
            format!(
                "{at}:8: GET /users?top: no such parameter is described; there are $count, $expand, $filter, $format, $orderby, $search, $select, $skip, $skiptoken, $top"
            ),
        ),
    ];
    let mistakes: Vec<_> =
        mistakes.iter().map(|(right, wrong, expected)| (*right, *wrong, expected.as_str())).collect();
    refuses(&manifest, "", describe, &mistakes);
    // An alternative may ask for less than the one it stands in for.
    let plain = "request = [{ path = \"/users\", query = { \"$select\" = \"id\" }, records = \"value\", alternative = \"b\" }, {";
    let less = manifest.replacen("request = [{", plain, 1);
    refuses(
        &less,
        "",
        describe,
        &[(", alternative = \"b\"", "", &format!("{at}:11: users.mail: $select leaves mail out"))],
    );
}

#[test]
fn scim() {
    let describe = |_: &Wanted, facts: &mut Facts| {
        let json = serde_json::json!({ "id": "urn:u", "attributes": [
            { "name": "mail", "type": "string" }, { "name": "active", "type": "boolean" },
            { "name": "groups", "type": "complex", "multiValued": true, "subAttributes": [{ "name": "name", "type": "string" }] }
        ] });
        scim::describe(&json, facts).unwrap();
    };
    let pages = r##"
[[page]]
url = "https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2"
read_at = "2026-11-23"
requests."GET /users" = { parameters = { limit = "integer", role = "string" }, answer = "#list" }
types.list = { items = "[#urn:u]", next = "string" }
types.common = { id = "integer" }
types."urn:u" = { "^also" = ["common"] }
"##;
    let manifest = REST.replace("base = \"/v1\"", "");
    let report = proven(&manifest, pages, describe);
    let how = |id: &str| report.items.iter().find(|item| item.id == id).unwrap().how.clone();
    assert_eq!(how("users.mail"), How::Machine, "the schema says it");
    for id in ["users.id", "GET /users", "GET /users?limit", "users#records"] {
        assert!(matches!(how(id), How::Page(_)), "{id}: {:?}", how(id));
    }
    let at = "catalog/apps/x/app.toml";
    let mistakes = [
        (
            "name = \"mail\"",
            "name = \"email\"",
            format!("{at}:11: users.email: no answer has email; there are active, groups, mail"),
        ),
        (
            "type = \"int\"",
            "type = \"bool\"",
            format!("{at}:10: users.id: declared bool, described as integer"),
        ),
        (
            "path = \"/users\"",
            "path = \"/people\"",
            format!("{at}:8: GET /people: no such request is described"),
        ),
    ];
    let mistakes: Vec<_> =
        mistakes.iter().map(|(right, wrong, expected)| (*right, *wrong, expected.as_str())).collect();
    refuses(&manifest, pages, describe, &mistakes);
}

#[test]
fn graphql() {
    const SCHEMA: &str = "type Query { users(first: Int): Users! } type Users { nodes: [User] pageInfo: Page! total: Int } \
        type Page { hasNextPage: Boolean! endCursor: String } type User { id: Int mail: String unused: String }";
    const MANIFEST: &str = "[[deployment]]\n[deployment.hosts.main]\norigin = \"https://api.example.com\"\n[[dataset]]\nname = \"users\"\n\
        request = [{ path = \"/graphql\", graphql = \"users.graphql\", records = \"data.users.nodes\", paging = { kind = \"graphql\", at = \"data.users.pageInfo\" } }]\n\
        field = [\n  { name = \"id\", type = \"int\" },\n  { name = \"address\", type = \"string\" },\n]\n";
    const DOCUMENT: &str =
        "{ users(first: 5) { nodes { id address: mail } pageInfo { hasNextPage endCursor } } }";
    const PAGE: &str = "[[page]]\nurl = \"https://docs.example.com/graphql\"\nread_at = \"2026-11-23\"\nshows = [\"POST /graphql\"]\n";
    let run = |manifest: &str, document: &str, pages: &str| {
        let asked = asks::of(manifest).unwrap();
        let pages: Pages = pages::read(pages).unwrap();
        let documents = BTreeMap::from([("users.graphql".to_owned(), document.to_owned())]);
        let by = |schema: &Schema| {
            let known = Known {
                facts: &Facts::default(),
                described: true,
                schema: Some(schema),
                documents: &documents,
                pages: &pages,
            };
            prove(&asked, &known).unwrap()
        };
        let whole = Schema::read(SCHEMA).unwrap();
        let cut = graphql_cut::write(&whole, &by(&whole).used);
        assert!(!cut.contains("unused"), "{cut}");
        failures("x", &by(&Schema::read(&cut).unwrap()))
    };
    assert_eq!(run(MANIFEST, DOCUMENT, PAGE), [""; 0]);
    let at = "catalog/apps/x/app.toml";
    assert_eq!(run(MANIFEST, DOCUMENT, ""), [format!("{at}:6: POST /graphql: no such request is described")]);
    let wrong_document = run(MANIFEST, &DOCUMENT.replace(": mail", ": email"), PAGE);
    assert_eq!(
        wrong_document,
        [
            format!("{at}:9: users.address: no answer has address; there are id"),
            format!("{at}:6: users.graphql: 1:32 User has no field email"),
        ]
    );
    let wrong = |right: &str, wrong: &str| run(&MANIFEST.replacen(right, wrong, 1), DOCUMENT, PAGE);
    assert_eq!(
        wrong("\"int\"", "\"bool\""),
        [format!("{at}:8: users.id: declared bool, described as integer")]
    );
    assert_eq!(
        wrong("name = \"address\"", "name = \"mail\""),
        [format!("{at}:9: users.mail: no answer has mail; there are address, id")]
    );
    assert_eq!(
        wrong("users.nodes", "users.edges")[0],
        format!("{at}:6: users#records: no answer has data.users.edges; there are nodes, pageInfo")
    );
}

#[test]
fn a_word_stands_for_a_placeholder_only_where_it_is_one_of_its_words() {
    let text = r##"{ "servers": [{ "url": "https://api.example.com/v1" }], "paths": { "/users/{kind}": { "get": {
        "parameters": [{ "in": "path", "name": "kind", "required": true, "schema": { "type": "string", "enum": ["human", "bot"] } }],
        "responses": { "200": { "content": { "application/json": { "schema": { "properties": { "id": { "type": "integer" } } } } } } }
    } } } }"##;
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        openapi::describe(&serde_json::from_str(text).unwrap(), None, wanted, facts).unwrap();
    };
    let manifest = "[[deployment]]\n[deployment.hosts.main]\norigin = \"https://api.example.com\"\nbase = \"/v1\"\n[[dataset]]\nname = \"users\"\n\
        request = [{ path = \"/users/bot\" }]\nfield = [{ name = \"id\", type = \"int\" }]\n";
    refuses(
        manifest,
        "",
        describe,
        &[(
            "/users/bot",
            "/users/robot",
            "catalog/apps/x/app.toml:7: GET /users/robot: 'robot' is none of human, bot",
        )],
    );
}

#[test]
fn each_request_that_has_a_field_must_have_it_readably() {
    let describe = |wanted: &Wanted, facts: &mut Facts| {
        let text = OPENAPI.replacen("\"/users\": {", "\"/guests\": { \"get\": { \"responses\": { \"200\": { \"content\": { \"application/json\": { \"schema\": { \"properties\": { \"id\": { \"type\": \"string\" } } } } } } } } }, \"/users\": {", 1);
        openapi::describe(&serde_json::from_str(&text).unwrap(), None, wanted, facts).unwrap();
    };
    let two = REST.replace("request = [", "request = [\n  { path = \"/guests\" },");
    assert_eq!(
        failures("x", &proven(&two, "", describe)),
        ["catalog/apps/x/app.toml:11: users.id: declared int, described as string"]
    );
}

/// What is proven of the real catalogue would not be proven of the slightest other thing.
#[test]
fn nothing_is_proven_by_being_asked() {
    let apps = std::fs::read_dir(crate::tools::root().join("catalog/apps")).unwrap().flatten();
    let mut proven = 0;
    for app in apps.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        let folder = Folder::read(&app).unwrap();
        let facts =
            folder.own("facts.json").unwrap().map(|text| Facts::read(&text).unwrap()).unwrap_or_default();
        let schema = folder.own("schema.graphql").unwrap().map(|text| Schema::read(&text).unwrap());
        let machine = |asked: &[asks::Request]| {
            let known = Known {
                facts: &facts,
                described: true,
                schema: schema.as_ref(),
                documents: &folder.documents,
                pages: &Pages::default(),
            };
            let items = prove(asked, &known).unwrap().items;
            items.into_iter().filter(|item| item.how == How::Machine).map(|item| item.id).collect::<Vec<_>>()
        };
        let asked = folder.asked().unwrap();
        proven += machine(&asked).len();
        let mut elsewhere = asked.clone();
        elsewhere
            .iter_mut()
            .for_each(|one| one.addresses.iter_mut().for_each(|at| at.push_str("/elsewhere/still")));
        let documents = |id: &String| folder.documents.contains_key(id);
        let left: Vec<_> = machine(&elsewhere).into_iter().filter(|id| id.starts_with("GET ")).collect();
        assert_eq!(left, [""; 0], "{app}: at another address");
        let mut otherwise = asked;
        for one in &mut otherwise {
            one.query.iter_mut().for_each(|parameter| parameter.name.push_str("_other"));
            one.reads.iter_mut().for_each(|read| read.path.push_str("_other"));
        }
        let is_request = |id: &String| id.contains(' ') && !id.contains('?');
        let left: Vec<_> =
            machine(&otherwise).into_iter().filter(|id| !is_request(id) && !documents(id)).collect();
        assert_eq!(left, [""; 0], "{app}: by another name");
    }
    assert!(proven > 500, "only {proven} things were proven at all");
}
