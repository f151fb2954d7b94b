//! The part of a GraphQL schema that documents use, as a schema again.

use super::graphql::{Schema, Text, Used, named};
use graphql_parser::query::Type;
use graphql_parser::schema::{Field, InputValue, TypeDefinition};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Scalars that every schema has.
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// Writes what is used of a schema, one type after another by name.
pub(crate) fn write(schema: &Schema, used: &Used) -> String {
    let mut wanted: BTreeSet<&str> = used.keys().map(String::as_str).collect();
    for (name, all) in used {
        wanted.extend(members(schema, name, all));
        // A required argument that a document leaves out is an error there; the cut must still show that it is required.
        for field in schema.fields(name).into_iter().flatten().filter(|field| all.contains(&field.name)) {
            wanted.insert(named(&field.field_type));
            wanted.extend(arguments(field, all).map(|argument| named(&argument.value_type)));
        }
    }
    let mut out = format!("schema {{ query: {} }}\n", schema.query());
    let nothing = BTreeSet::new();
    for name in wanted.iter().filter(|name| !BUILT_IN.contains(*name)) {
        let all = used.get(*name).unwrap_or(&nothing);
        match schema.get(name) {
            Some(TypeDefinition::Object(object)) => {
                let interfaces: Vec<&str> = object
                    .implements_interfaces
                    .iter()
                    .map(String::as_str)
                    .filter(|one| wanted.contains(one))
                    .collect();
                let implements = if interfaces.is_empty() {
                    String::new()
                } else {
                    format!(" implements {}", interfaces.join(" & "))
                };
                fields(&mut out, &format!("type {name}{implements}"), &object.fields, all);
            }
            Some(TypeDefinition::Interface(interface)) => {
                fields(&mut out, &format!("interface {name}"), &interface.fields, all)
            }
            Some(TypeDefinition::Union(_)) => {
                let members: Vec<&str> = members(schema, name, all).collect();
                let _ = writeln!(
                    out,
                    "union {name}{}{}",
                    if members.is_empty() { "" } else { " = " },
                    members.join(" | ")
                );
            }
            Some(TypeDefinition::Enum(found)) => {
                // An enumeration is kept whole: it is short, and its values are what checks compare with.
                let values: Vec<&str> = found.values.iter().map(|value| value.name.as_str()).collect();
                let _ = writeln!(out, "enum {name} {{ {} }}", values.join(" "));
            }
            Some(TypeDefinition::InputObject(input)) => {
                let shown: Vec<String> = input
                    .fields
                    .iter()
                    .filter(|field| all.contains(&field.name) || is_needed(field))
                    .map(input_value)
                    .collect();
                let _ = writeln!(out, "input {name} {{ {} }}", shown.join(" "));
            }
            Some(TypeDefinition::Scalar(_)) => {
                let _ = writeln!(out, "scalar {name}");
            }
            None => {}
        }
    }
    out
}

/// The members of a union that documents tell apart.
fn members<'s>(schema: &'s Schema, name: &str, used: &'s BTreeSet<String>) -> impl Iterator<Item = &'s str> {
    let all: &[String] = match schema.get(name) {
        Some(TypeDefinition::Union(union)) => &union.types,
        _ => &[],
    };
    all.iter().filter(|member| used.contains(*member)).map(String::as_str)
}

fn fields(out: &mut String, head: &str, all: &[Field<'static, Text>], used: &BTreeSet<String>) {
    let _ = write!(out, "{head}");
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for field in all.iter().filter(|field| used.contains(&field.name) && seen.insert(&field.name)) {
        let arguments: Vec<String> = arguments(field, used).map(input_value).collect();
        let shown = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(" ")) };
        lines.push(format!("  {}{shown}: {}", field.name, field.field_type));
    }
    if lines.is_empty() {
        out.push('\n');
    } else {
        let _ = writeln!(out, " {{\n{}\n}}", lines.join("\n"));
    }
}

/// The arguments of a field that are given or required.
fn arguments<'f>(
    field: &'f Field<'static, Text>,
    used: &'f BTreeSet<String>,
) -> impl Iterator<Item = &'f InputValue<'static, Text>> {
    field
        .arguments
        .iter()
        .filter(|one| used.contains(&format!("{}({}", field.name, one.name)) || is_needed(one))
}

fn is_needed(value: &InputValue<'static, Text>) -> bool {
    matches!(value.value_type, Type::NonNullType(_)) && value.default_value.is_none()
}

fn input_value(value: &InputValue<'static, Text>) -> String {
    let default = value.default_value.as_ref().map_or_else(String::new, |value| format!(" = {value}"));
    format!("{}: {}{default}", value.name, value.value_type)
}

#[cfg(test)]
mod tests {
    use super::super::graphql::{Answer, answer};
    use super::super::shape::{Found, Seen, walk};
    use super::*;

    const SCHEMA: &str = r#"
"prose" type Query { org(login: String!): Org other: Org }
interface Node { id: ID! }
type Org implements Node { id: ID! login: String! people(first: Int after: String order: Order by: Sort): People! rule: Actor }
type People { nodes: [Person] total: Int! }
type Person implements Node { id: ID! born: DateTime admin: Boolean! rank: Rank }
enum Rank { LOW HIGH }
enum Sort { NAME AGE }
input Order { field: Sort! up: Boolean }
union Actor = Person | Org | Robot
type Robot { model: String }
scalar DateTime
"#;

    fn asked(text: &str) -> Answer {
        answer(&Schema::read(SCHEMA).unwrap(), "d.graphql", text).unwrap()
    }

    fn at(answer: &Answer, path: &str) -> Vec<String> {
        let start = vec![Found { shape: answer.shape.clone(), page: None }];
        walk(&answer.types, start, path, &mut Seen::default()).iter().map(|f| f.shape.to_string()).collect()
    }

    const GOOD: &str = "query($o: String!, $a: String) { org(login: $o) { name: login \
        people(first: 10, after: $a, order: { field: AGE }) { nodes { ...P } total } \
        rule { __typename ... on Person { admin } ... on Robot { model } } } } \
        fragment P on Person { id born rank }";

    #[test]
    fn a_sound_document_answers_by_its_own_names() {
        let good = asked(GOOD);
        assert_eq!(good.problems, [""; 0]);
        assert_eq!(at(&good, "data.org.name"), ["string"]);
        assert_eq!(at(&good, "data.org.people.nodes.*.born"), ["string"]);
        assert_eq!(at(&good, "data.org.people.total"), ["integer"]);
        assert_eq!(at(&good, "data.org.rule.admin"), ["boolean"]);
        assert_eq!(at(&good, "data.org.rule.__typename"), ["string"]);
        assert!(at(&good, "data.org.login").is_empty(), "the alias is the name");
    }

    #[test]
    fn every_kind_of_mistake_is_found_at_its_place() {
        for (text, expected) in [
            ("{ org(login: \"a\") { nam } }", "1:21 Org has no field nam"),
            ("{ org { login } }", "1:3 Query.org needs the argument login"),
            ("{ org(login: 1) { login } }", "1:3 org(login): 1 is not of type String"),
            ("{ org(login: \"a\", x: 1) { login } }", "1:3 Query.org takes no argument x"),
            (
                "query($o: String) { org(login: $o) { login } }",
                "1:21 org(login): $o is of type String, not String!",
            ),
            ("{ org(login: $o) { login } }", "1:3 org(login): $o is not declared"),
            ("{ org(login: \"a\") { people } }", "1:21 people needs a selection of People's fields"),
            ("{ org(login: \"a\") { login { x } } }", "1:21 String has no fields to select"),
            (
                "{ org(login: \"a\") { people(by: SIZE) { total } } }",
                "1:21 people(by): SIZE is not of type Sort",
            ),
            (
                "{ org(login: \"a\") { people(order: { up: true }) { total } } }",
                "1:21 people(order): Order needs field",
            ),
            (
                "{ org(login: \"a\") { people(order: { field: AGE, x: 1 }) { total } } }",
                "1:21 people(order): Order has no x",
            ),
            ("{ org(login: \"a\") { ... on Robot { model } } }", "1:25 Org is never Robot"),
            ("{ org(login: \"a\") { ... on Ghost { model } } }", "1:25 there is no type Ghost with fields"),
            ("{ org(login: \"a\") { ...Ghost } }", "1:24 there is no fragment Ghost"),
            ("query($x: Ghost) { org(login: \"a\") { login } }", "1:7 $x: there is no type Ghost"),
        ] {
            assert_eq!(asked(text).problems, [expected], "{text}");
        }
        assert!(answer(&Schema::read(SCHEMA).unwrap(), "d", "mutation { x }").is_err());
    }

    #[test]
    fn the_cut_says_the_same_about_the_documents_it_was_cut_for() {
        let good = asked(GOOD);
        let text = write(&Schema::read(SCHEMA).unwrap(), &good.used);
        assert!(!text.contains("prose") && !text.contains("other"), "{text}");
        assert!(text.contains("union Actor = Person | Robot\n"), "{text}");
        assert!(text.contains("  people(first: Int after: String order: Order): People!\n"), "{text}");
        let cut = Schema::read(&text).unwrap();
        let again = answer(&cut, "d.graphql", GOOD).unwrap();
        assert_eq!(again.problems, [""; 0]);
        assert_eq!(again.types, good.types);
        assert_eq!(write(&cut, &again.used), text, "cutting again changes nothing");
        // Without its required argument the document is as wrong for the cut as for the whole.
        assert_eq!(
            answer(&cut, "d.graphql", "{ org { login } }").unwrap().problems,
            ["1:3 Query.org needs the argument login"]
        );
    }
}
