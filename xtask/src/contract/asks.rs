//! What a manifest asks of its vendor: every request, every query parameter and every path it follows into an answer.
//!
//! The manifest is read as plain TOML, not through the catalogue's types: this tool must say what is wrong while the
//! catalogue does not load, and needs each thing's line.

use super::tree::{Document, Node};
use crate::Result;

/// One request with everything that is read from its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// How evidence names it: `GET /orgs/{organization}`, with the host before the path where it is not `main`.
    pub(crate) id: String,
    /// Its line in the manifest.
    pub(crate) line: usize,
    /// `GET`, `POST`.
    pub(crate) method: String,
    /// Each address it may have, with the origin where that is fixed and without; placeholders are `{}`.
    pub(crate) addresses: Vec<String>,
    /// Query parameters, those of paging included.
    pub(crate) query: Vec<Parameter>,
    /// Its GraphQL document in the application's folder.
    pub(crate) document: Option<String>,
    /// Where the records are.
    pub(crate) records: String,
    /// What is read.
    pub(crate) reads: Vec<Read>,
    /// Whether it stands in for another request that is tried before it or after it.
    pub(crate) alternative: bool,
}

/// One query parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: String,
    /// Its value, where it is fixed.
    pub(crate) value: Option<String>,
    /// Its line.
    pub(crate) line: usize,
}

/// One path that is followed into an answer.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// How evidence names it: `members.login`, `members#records`.
    pub(crate) id: String,
    /// Its line.
    pub(crate) line: usize,
    /// The path: from the record, or from the whole answer.
    pub(crate) path: String,
    /// Whether it begins at the whole answer.
    pub(crate) whole: bool,
    /// The declared type, where what is found must fit it.
    pub(crate) kind: Option<String>,
    /// What is done to the value before it must fit.
    pub(crate) steps: Vec<Step>,
    /// How instants are written.
    pub(crate) format: String,
    /// Written for this request alone, so that this request must have it; otherwise one of the dataset's requests must.
    pub(crate) here: bool,
}

/// One transform.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Its word.
    pub(crate) word: String,
    /// What stands behind it, where that is a text.
    pub(crate) value: Option<String>,
    /// What stands behind it, where that is a table of texts.
    pub(crate) parts: Vec<(String, String)>,
}

/// Everything a manifest asks.
pub(crate) fn of(text: &str) -> Result<Vec<Request>> {
    let document = Document::read(text)?;
    let context = Context {
        hosts: document.list("deployment").into_iter().filter_map(|one| one.get("hosts")).collect(),
        opening: document
            .list("setting")
            .into_iter()
            .filter(|setting| setting.is("path"))
            .filter_map(|setting| setting.word("name"))
            .collect(),
    };
    let mut out = Vec::new();
    for auth in document.list("auth") {
        let name = format!("auth.{}", auth.word("id").unwrap_or_default());
        let first = out.len();
        context.endpoints(auth, &name, "", &mut out);
        // What has no path of its own is read from the answers of the authentication itself.
        let mut loose = Vec::new();
        context.loose(auth, &name, &mut loose);
        let own = out[first..].iter_mut().filter(|request| request.reads.is_empty());
        own.for_each(|request| request.reads.extend(loose.iter().cloned()));
    }
    if let Some(identity) = document.get("identity") {
        context.endpoints(identity, "identity", "", &mut out);
    }
    for dataset in document.list("dataset") {
        let name = dataset.word("name").unwrap_or_default();
        out.extend(
            dataset.list("request").into_iter().map(|request| context.request(dataset, name, request)),
        );
    }
    Ok(out)
}

/// What requests refer to.
struct Context<'a> {
    hosts: Vec<Node<'a>>,
    opening: Vec<&'a str>,
}

impl Context<'_> {
    /// The endpoints of a credential: every table with a `path`, however deep.
    fn endpoints(&self, node: Node<'_>, name: &str, key: &str, out: &mut Vec<Request>) {
        if let Some(path) = node.word("path").filter(|path| path.starts_with(['/', '{'])) {
            let method = match (node.word("method"), key) {
                (Some(method), _) => method,
                (None, "token" | "login") => "POST",
                (None, _) => "GET",
            };
            let mut request = self.addressed(method, node.word("host").unwrap_or("main"), path, node.line());
            for (place, at) in
                ["at", "tenant_uid", "tenant_name"].iter().filter_map(|p| Some((p, node.get(p)?)))
            {
                let id = if *place == "at" { name.to_owned() } else { format!("{name}.{place}") };
                request.reads.extend(read_whole(id, at));
            }
            parameters(node.get("query"), &mut request.query);
            out.push(request);
        }
        for (key, inner) in node.members() {
            self.endpoints(inner, &format!("{name}.{key}"), key, out);
        }
    }

    /// Every `at` beside which no `path` stands.
    fn loose(&self, node: Node<'_>, name: &str, out: &mut Vec<Read>) {
        if let (None, Some(at)) = (node.get("path"), node.get("at")) {
            out.extend(read_whole(name.to_owned(), at));
        }
        for (key, inner) in node.members() {
            self.loose(inner, &format!("{name}.{key}"), out);
        }
    }

    /// A request that knows its addresses.
    fn addressed(&self, method: &str, host: &str, path: &str, line: usize) -> Request {
        let shown = if host == "main" { path.to_owned() } else { format!("{host} {path}") };
        let path =
            self.opening.iter().find_map(|name| path.strip_prefix(&format!("{{{name}}}"))).unwrap_or(path);
        let mut addresses = Vec::new();
        for host in self.hosts.iter().filter_map(|hosts| hosts.get(host)) {
            let under = format!("{}{path}", host.word("base").unwrap_or_default());
            if let Some(origin) = host.word("origin").filter(|origin| !origin.contains('{')) {
                addresses.push(emptied(&format!("{origin}{under}")));
            }
            addresses.push(emptied(&under));
        }
        addresses.dedup();
        let id = format!("{method} {shown}");
        Request { id, line, method: method.to_owned(), addresses, ..Request::default() }
    }

    fn request(&self, dataset: Node<'_>, name: &str, node: Node<'_>) -> Request {
        let document = node.word("graphql").map(str::to_owned);
        let default = if document.is_some() || node.get("post").is_some() { "POST" } else { "GET" };
        let path = node.word("path").unwrap_or_default();
        let method = node.word("method").unwrap_or(default);
        let mut request = self.addressed(method, node.word("host").unwrap_or("main"), path, node.line());
        request.document = document;
        request.alternative = node.get("alternative").is_some();
        parameters(node.get("query"), &mut request.query);
        if let Some(records) = node.get("records") {
            request.records = records.text().unwrap_or_default().to_owned();
            if !request.records.is_empty() {
                request.reads.extend(read_whole(format!("{name}#records"), records));
            }
        }
        for (key, value) in node.get("paging").map_or_else(Vec::new, Node::members) {
            self.paging(name, key, value, node, &mut request);
        }
        for field in dataset.list("field") {
            let own = field.word("name").unwrap_or_default();
            let constant = node.get("set").is_some_and(|set| set.get(own).is_some());
            if !constant && field.get("each").is_none() {
                let moved = node.get("paths").and_then(|paths| paths.get(own));
                fields(field, name, "", moved, &mut request.reads);
            }
        }
        request
    }

    /// Paging's own words: `..param` names a query parameter, `..at` a place in the answer.
    fn paging(&self, name: &str, key: &str, value: Node<'_>, node: Node<'_>, request: &mut Request) {
        let Some(text) = value.text() else { return };
        if key == "param" || key.ends_with("_param") {
            if !request.query.iter().any(|parameter| parameter.name == text) {
                // The size that is asked for is as fixed as a parameter that is written out.
                let size = node
                    .get("paging")
                    .filter(|_| key == "size_param")
                    .and_then(|paging| paging.number("size"));
                request.query.push(Parameter {
                    name: text.to_owned(),
                    value: size.map(str::to_owned),
                    line: value.line(),
                });
            }
        } else if key == "at" || key.ends_with("_at") {
            let kind = node.get("paging").and_then(|paging| paging.word("kind"));
            let parts = if kind == Some("graphql") { &["hasNextPage", "endCursor"][..] } else { &[""] };
            for part in parts {
                let path = if part.is_empty() { text.to_owned() } else { format!("{text}.{part}") };
                let id = [&format!("{name}#paging.{key}"), *part]
                    .iter()
                    .filter(|p| !p.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join(".");
                request.reads.extend(read_whole(id, value).map(|read| Read { path, ..read }));
            }
        }
    }
}

/// A path from the whole answer; `@origin` and the like are not read from it.
fn read_whole(id: String, at: Node<'_>) -> Option<Read> {
    let path = at.text().filter(|text| !text.starts_with("@origin"))?.to_owned();
    let (line, format) = (at.line(), String::new());
    Some(Read { id, line, path, whole: true, kind: None, steps: Vec::new(), format, here: false })
}

fn parameters(query: Option<Node<'_>>, out: &mut Vec<Parameter>) {
    let mut members = query.map_or_else(Vec::new, Node::members);
    members.sort_by_key(|(name, _)| *name);
    for (name, value) in members {
        let fixed = value.text().filter(|text| !text.contains('{')).map(str::to_owned);
        out.push(Parameter { name: name.to_owned(), value: fixed, line: value.line() });
    }
}

/// The paths that a field follows below `prefix`: its own and those of its parts.
fn fields(field: Node<'_>, owner: &str, prefix: &str, moved: Option<Node<'_>>, out: &mut Vec<Read>) {
    // What is worked out is asked of nobody.
    if field.get("first_seen").is_some() {
        return;
    }
    let name = field.word("name").unwrap_or_default();
    let kind = field.word("type").unwrap_or_default();
    let id = format!("{owner}.{name}");
    let own = moved.and_then(Node::text).or_else(|| field.word("path")).unwrap_or(name);
    let line = moved.map_or_else(|| field.line(), Node::line);
    let path = joined(prefix, own);
    let here = moved.is_some();
    if let Some(at) = field.word("incomplete_at") {
        let id = format!("{id}#incomplete_at");
        let (path, kind) = (joined(prefix, at), Some("bool".to_owned()));
        out.push(Read { id, line, path, whole: false, kind, steps: Vec::new(), format: String::new(), here });
    }
    let steps: Vec<Step> = field.list("transform").into_iter().flat_map(step).collect();
    let parts = field.list("field");
    if !parts.is_empty() && steps.is_empty() {
        let elements = if kind.starts_with("list") || kind.starts_with("map") {
            format!("{path}.*")
        } else {
            path.clone()
        };
        for part in parts.into_iter().filter(|part| part.get("each").is_none()) {
            fields(part, &id, &elements, None, out);
        }
    }
    let kind = field.get("sensitive").is_none().then(|| kind.to_owned());
    let format = field.word("format").unwrap_or("rfc3339").to_owned();
    out.push(Read { id, line, path, whole: false, kind, steps, format, here });
}

fn step(node: Node<'_>) -> Vec<Step> {
    if let Some(word) = node.text() {
        return vec![Step { word: word.to_owned(), value: None, parts: Vec::new() }];
    }
    let member = |(word, value): (&str, Node<'_>)| {
        let part = |(key, value): (&str, Node<'_>)| Some((key.to_owned(), value.text()?.to_owned()));
        let parts = value.members().into_iter().filter_map(part).collect();
        Step { word: word.to_owned(), value: value.text().map(str::to_owned), parts }
    };
    node.members().into_iter().map(member).collect()
}

fn joined(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", path) => path.to_owned(),
        (prefix, "" | ".") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}

/// An address with every placeholder made equal: `/orgs/{organization}/hooks` and `/orgs/{org}/hooks` are one request.
pub(crate) fn emptied(address: &str) -> String {
    let mut out = String::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str("{}");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out + rest
}

/// Whether an address is one of a template's: a placeholder of the template stands for any one segment.
pub(crate) fn is_of(address: &str, template: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (address.split('/').collect(), template.split('/').collect());
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| one == other || (*other == "{}" && !one.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[[setting]]
name = "root"
path = true

[[deployment]]
[deployment.hosts.main]
origin = "https://api.example.com"
base = "/v1"
[deployment.hosts.reports]
origin = "https://{label}.example.com"

[[auth]]
id = "app"
token = { path = "/token" }
granted = { read = { at = "scopes" } }
subject = { path = "/me", at = "login" }

[identity]
path = "/me"
tenant_uid = "org.id"
tenant_name = "@origin"

[[dataset]]
name = "users"
request = [
  { path = "/users", query = { role = "admin", of = "{each}" }, records = "items", paging = { kind = "cursor", at = "next", param = "cursor" } },
  { host = "reports", path = "{root}/people/{each.id}", set = { kind = "x" }, paths = { mail = "address" } },
  { path = "/rpc", post = { method = "users.list" }, alternative = "rpc" },
]
field = [
  { name = "mail", type = "string", path = "email" },
  { name = "kind", type = "string" },
  { name = "parent", type = "string", each = "id" },
  { name = "keys", type = "list<object>", incomplete_at = "more", field = [{ name = "id", type = "int" }] },
  { name = "tags", type = "list<string>", transform = ["lower", { pluck = "name" }] },
]
"#;

    #[test]
    fn everything_that_is_asked_is_found_with_its_line() {
        let asked = of(MANIFEST).unwrap();
        let ids: Vec<&str> = asked.iter().map(|request| request.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "GET /me",
                "POST /token",
                "GET /me",
                "GET /users",
                "GET reports {root}/people/{each.id}",
                "POST /rpc"
            ]
        );
        assert_eq!(asked.iter().filter(|request| request.alternative).count(), 1);
        let reads = |at: usize| -> Vec<String> {
            let mut reads: Vec<String> =
                asked[at].reads.iter().map(|r| format!("{} = {}", r.id, r.path)).collect();
            reads.sort();
            reads
        };
        assert_eq!(reads(1), ["auth.app.granted.read = scopes"]);
        assert_eq!(reads(0), ["auth.app.subject = login"]);
        assert_eq!(reads(2), ["identity.tenant_uid = org.id"]);
        let expected = [
            "users#paging.at = next",
            "users#records = items",
            "users.keys = keys",
            "users.keys#incomplete_at = more",
            "users.keys.id = keys.*.id",
            "users.kind = kind",
            "users.mail = email",
            "users.tags = tags",
        ];
        assert_eq!(reads(3), expected);
        assert!(reads(4).contains(&"users.mail = address".to_owned()));
        assert!(!reads(4).iter().any(|read| read.starts_with("users.kind")), "a constant is not read");
        assert_eq!(asked[3].addresses, ["https://api.example.com/v1/users", "/v1/users"]);
        assert_eq!(asked[4].addresses, ["/people/{}"], "an origin that the admin completes is left open");
        let query: Vec<_> = asked[3].query.iter().map(|p| (p.name.as_str(), p.value.as_deref())).collect();
        assert_eq!(query, [("of", None), ("role", Some("admin")), ("cursor", None)]);
        assert_eq!(asked[3].line, 27);
        assert_eq!(asked[3].reads.iter().find(|read| read.id == "users.mail").unwrap().line, 32);
    }

    #[test]
    fn addresses_are_of_templates() {
        assert_eq!(emptied("/a/{b}/c/{d.e}:f"), "/a/{}/c/{}:f");
        assert!(is_of("/customer/my_customer/x", "/customer/{}/x"));
        assert!(is_of("/customer/{}/x", "/customer/{}/x"));
        assert!(!is_of("/customer/{}/x", "/customer/fixed/x"));
        assert!(!is_of("/customer//x", "/customer/{}/x"));
        assert!(!is_of("/customer/x", "/customer/{}/x"));
    }
}
