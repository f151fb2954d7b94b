//! A small GraphQL executor over JSON: enough to answer any read query over data that already has the schema's field names.
//!
//! Objects answer their fields by name. A list is a plain list, unless it is asked for as a connection (a selection of
//! `nodes`, `edges`, `pageInfo` or `totalCount`): then `first`/`after` page it. What belongs to a connection's edge stands
//! under the element's `@edge`. `__typename` decides inline fragments. A field that the data lacks is an error, as at a
//! real server: a query that asks for what the simulator does not know must not quietly be answered with null.
//! A value `{"@forbidden": "message"}` answers null with an entry in `errors`, as vendors do for missing permissions.

use graphql_parser::query::{
    Definition, Document, OperationDefinition, Selection, SelectionSet, Value as Arg,
};
use serde_json::{Map, Value, json};

/// Answers a request body `{query, variables}` over a root object.
pub(crate) fn execute(body: &Value, root: &Value) -> Value {
    let Some(text) = body.get("query").and_then(Value::as_str) else {
        return json!({ "errors": [{ "message": "A query attribute must be specified and must be a string." }] });
    };
    let document: Document<'_, String> = match graphql_parser::parse_query(text) {
        Ok(document) => document,
        Err(e) => return json!({ "errors": [{ "message": format!("Parse error: {e}") }] }),
    };
    let variables = body.get("variables").cloned().unwrap_or_else(|| json!({}));
    let fragments = document
        .definitions
        .iter()
        .filter_map(|d| match d {
            Definition::Fragment(f) => Some((f.name.clone(), f.selection_set.clone())),
            Definition::Operation(_) => None,
        })
        .collect();
    let mut run =
        Run { variables: &variables, fragments, errors: Vec::new(), path: Vec::new(), defaults: Map::new() };
    for definition in &document.definitions {
        let Definition::Operation(operation) = definition else { continue };
        let set = match operation {
            OperationDefinition::Query(q) => {
                for v in &q.variable_definitions {
                    if let Some(default) = &v.default_value {
                        run.defaults.insert(v.name.clone(), run.argument(default));
                    }
                }
                &q.selection_set
            }
            OperationDefinition::SelectionSet(set) => set,
            OperationDefinition::Mutation(_) | OperationDefinition::Subscription(_) => {
                return json!({ "errors": [{ "message": "The simulator only answers queries." }] });
            }
        };
        let data = run.object(set, root);
        return if run.errors.is_empty() {
            json!({ "data": data })
        } else if run.errors.iter().any(|e| e["extensions"]["code"] == "undefinedField") {
            json!({ "errors": run.errors })
        } else {
            json!({ "data": data, "errors": run.errors })
        };
    }
    json!({ "errors": [{ "message": "No operation in the document." }] })
}

type Set<'a> = SelectionSet<'a, String>;

struct Run<'a> {
    variables: &'a Value,
    defaults: Map<String, Value>,
    fragments: Vec<(String, Set<'a>)>,
    errors: Vec<Value>,
    path: Vec<Value>,
}

impl<'a> Run<'a> {
    fn argument(&self, arg: &Arg<'_, String>) -> Value {
        match arg {
            Arg::Variable(name) => {
                self.variables.get(name).or_else(|| self.defaults.get(name)).cloned().unwrap_or(Value::Null)
            }
            Arg::Int(n) => json!(n.as_i64()),
            Arg::Float(f) => json!(f),
            Arg::String(s) | Arg::Enum(s) => json!(s),
            Arg::Boolean(b) => json!(b),
            Arg::Null => Value::Null,
            Arg::List(items) => Value::Array(items.iter().map(|i| self.argument(i)).collect()),
            Arg::Object(fields) => {
                Value::Object(fields.iter().map(|(k, v)| (k.clone(), self.argument(v))).collect())
            }
        }
    }

    fn object(&mut self, set: &Set<'a>, data: &Value) -> Value {
        let mut out = Map::new();
        self.fill(set, data, &mut out);
        Value::Object(out)
    }

    fn fill(&mut self, set: &Set<'a>, data: &Value, out: &mut Map<String, Value>) {
        for selection in &set.items {
            match selection {
                Selection::Field(field) => {
                    let key = field.alias.clone().unwrap_or_else(|| field.name.clone());
                    let args: Map<String, Value> =
                        field.arguments.iter().map(|(k, v)| (k.clone(), self.argument(v))).collect();
                    self.path.push(json!(key));
                    let value = self.field(&field.name, &args, &field.selection_set, data);
                    self.path.pop();
                    out.insert(key, value);
                }
                Selection::InlineFragment(fragment) => {
                    let applies = match &fragment.type_condition {
                        None => true,
                        Some(graphql_parser::query::TypeCondition::On(name)) => {
                            data.get("__typename").and_then(Value::as_str) == Some(name)
                        }
                    };
                    if applies {
                        self.fill(&fragment.selection_set, data, out);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let found = self
                        .fragments
                        .iter()
                        .find(|(n, _)| *n == spread.fragment_name)
                        .map(|(_, s)| s.clone());
                    match found {
                        Some(set) => self.fill(&set, data, out),
                        None => {
                            self.error("undefinedFragment", &format!("No fragment {}.", spread.fragment_name))
                        }
                    }
                }
            }
        }
    }

    fn field(&mut self, name: &str, args: &Map<String, Value>, set: &Set<'a>, data: &Value) -> Value {
        // A field whose answer depends on an argument stands in the data once per argument value:
        // `object(expression: "HEAD:SECURITY.md")` is `"@object": {"HEAD:SECURITY.md": {…}}`, null when it is not in there.
        let by_argument = args.iter().find_map(|(k, v)| match v {
            Value::String(v) if !matches!(k.as_str(), "after" | "before") => Some(v),
            _ => None,
        });
        let found = match (by_argument, data.get(format!("@{name}"))) {
            (Some(v), Some(answers)) => Some(answers.get(v).unwrap_or(&Value::Null)),
            _ => data.get(name),
        };
        let Some(value) = found else {
            let on = data.get("__typename").and_then(Value::as_str).unwrap_or("this type");
            self.error("undefinedField", &format!("Field '{name}' doesn't exist on type '{on}'"));
            return Value::Null;
        };
        self.select(value, args, set)
    }

    fn select(&mut self, value: &Value, args: &Map<String, Value>, set: &Set<'a>) -> Value {
        if let Some(message) = value.get("@forbidden").and_then(Value::as_str) {
            let message = message.to_owned();
            self.error("FORBIDDEN", &message);
            return Value::Null;
        }
        match value {
            Value::Array(items) if wants_connection(set) => self.connection(items, args, set),
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    self.path.push(json!(at));
                    out.push(self.select(item, &Map::new(), set));
                    self.path.pop();
                }
                Value::Array(out)
            }
            Value::Object(_) if !set.items.is_empty() => self.object(set, value),
            other => other.clone(),
        }
    }

    fn connection(&mut self, items: &[Value], args: &Map<String, Value>, set: &Set<'a>) -> Value {
        let start = match args.get("after").and_then(Value::as_str) {
            None => 0,
            Some(cursor) => {
                cursor.strip_prefix("after:").and_then(|n| n.parse::<usize>().ok()).unwrap_or(items.len())
            }
        };
        let first =
            args.get("first").and_then(Value::as_u64).map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
        let start = start.min(items.len());
        let end = start.saturating_add(first).min(items.len());
        let page = &items[start..end];
        let edges: Vec<Value> = page
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let mut edge = node.get("@edge").and_then(Value::as_object).cloned().unwrap_or_default();
                edge.insert("node".to_owned(), node.clone());
                edge.insert("cursor".to_owned(), json!(format!("after:{}", start + at + 1)));
                Value::Object(edge)
            })
            .collect();
        let connection = json!({
            "nodes": page,
            "edges": edges,
            "totalCount": items.len(),
            "pageInfo": {
                "hasNextPage": end < items.len(),
                "hasPreviousPage": start > 0,
                "endCursor": if page.is_empty() { Value::Null } else { json!(format!("after:{end}")) },
                "startCursor": if page.is_empty() { Value::Null } else { json!(format!("after:{}", start + 1)) },
            },
        });
        // `nodes` and `edges` of the connection are plain lists.
        let mut out = Map::new();
        self.fill(set, &connection, &mut out);
        Value::Object(out)
    }

    fn error(&mut self, code: &str, message: &str) {
        let kind = if code == "FORBIDDEN" { json!("FORBIDDEN") } else { Value::Null };
        self.errors.push(json!({
            "type": kind, "path": self.path, "message": message, "extensions": { "code": code },
        }));
    }
}

fn wants_connection(set: &Set<'_>) -> bool {
    set.items.iter().any(|s| {
        matches!(s, Selection::Field(f) if matches!(f.name.as_str(), "nodes" | "edges" | "pageInfo" | "totalCount"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_a_connection_with_edges_and_says_when_there_is_more() {
        let root = json!({ "organization": { "members": [
            { "login": "a", "@edge": { "role": "ADMIN" } }, { "login": "b", "@edge": { "role": "MEMBER" } } ] } });
        let query = "query($after: String) { organization(login: \"x\") { members(first: 1, after: $after) {
            pageInfo { hasNextPage endCursor } edges { role node { login } } } } }";
        let first = execute(&json!({ "query": query }), &root);
        assert_eq!(
            first["data"]["organization"]["members"],
            json!({ "pageInfo": { "hasNextPage": true, "endCursor": "after:1" },
                "edges": [{ "role": "ADMIN", "node": { "login": "a" } }] })
        );
        let second = execute(&json!({ "query": query, "variables": { "after": "after:1" } }), &root);
        assert_eq!(second["data"]["organization"]["members"]["pageInfo"]["hasNextPage"], json!(false));
        assert_eq!(second["data"]["organization"]["members"]["edges"][0]["node"]["login"], json!("b"));
    }

    #[test]
    fn refuses_fields_the_data_does_not_have() {
        let answer =
            execute(&json!({ "query": "{ viewer { shoeSize } }" }), &json!({ "viewer": { "login": "a" } }));
        assert_eq!(
            answer["errors"][0]["message"],
            json!("Field 'shoeSize' doesn't exist on type 'this type'")
        );
        assert_eq!(answer.get("data"), None);
    }

    #[test]
    fn a_forbidden_field_is_null_with_its_path_in_errors() {
        let root =
            json!({ "organization": { "name": "x", "secret": { "@forbidden": "Resource not accessible" } } });
        let answer =
            execute(&json!({ "query": "{ organization(login: \"x\") { name secret { id } } }" }), &root);
        assert_eq!(answer["data"]["organization"], json!({ "name": "x", "secret": null }));
        assert_eq!(answer["errors"][0]["path"], json!(["organization", "secret"]));
    }
}
