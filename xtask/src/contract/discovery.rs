//! Google's discovery documents: one file for each API and version.

use super::asks::{emptied, is_of};
use super::facts::{Accepts, Facts, Operation, Values};
use super::shape::{Shape, Type};
use crate::Result;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Adds what one document says about these requests.
pub(crate) fn describe(json: &Json, asked: &[(String, Vec<String>)], facts: &mut Facts) -> Result {
    let root =
        json["rootUrl"].as_str().ok_or("no `rootUrl`: not a discovery document")?.trim_end_matches('/');
    let under = json["servicePath"].as_str().unwrap_or_default();
    let mut methods = Vec::new();
    gather(json, &mut methods);
    // Names of types are the document's own; two documents may both have a `User`.
    let prefix = format!(
        "{}.{}",
        json["name"].as_str().unwrap_or_default(),
        json["version"].as_str().unwrap_or_default()
    );
    let mut used = false;
    for (method, addresses) in asked {
        let template = |one: &Json| {
            // `path` may hold `{+name}`, which stands for several segments; `flatPath` has each by itself.
            let path = one["flatPath"].as_str().or_else(|| one["path"].as_str()).unwrap_or_default();
            format!("{root}/{under}{path}")
        };
        let of_method = || methods.iter().filter(|one| one["httpMethod"].as_str() == Some(method));
        let found = of_method().find(|one| addresses.contains(&emptied(&template(one)))).or_else(|| {
            // The most particular: `/usage/users/{}` before `/usage/{}/{}`.
            of_method()
                .filter(|one| addresses.iter().any(|at| is_of(at, &emptied(&template(one)))))
                .min_by_key(|one| template(one).matches('{').count())
        });
        let Some(found) = found else { continue };
        let mut parameters = BTreeMap::new();
        for list in [&json["parameters"], &found["parameters"]] {
            for (name, parameter) in list.as_object().into_iter().flatten() {
                let accepts = accepts(parameter);
                match parameter["location"].as_str() {
                    Some("query") => {
                        parameters.insert(name.clone(), accepts);
                    }
                    // Of placeholders in the path only those are of interest that take certain words.
                    Some("path") if matches!(accepts.values, Values::Listed(_)) => {
                        parameters.insert(format!("{{{name}}}"), accepts);
                    }
                    _ => {}
                }
            }
        }
        let answer = found["response"]["$ref"]
            .as_str()
            .map_or(Shape::Free, |name| Shape::Of(format!("{prefix}.{name}")));
        facts
            .requests
            .insert(format!("{method} {}", template(found)), Operation { parameters, answer, page: None });
        used = true;
    }
    if used {
        for (name, schema) in json["schemas"].as_object().into_iter().flatten() {
            let name = format!("{prefix}.{name}");
            if let Shape::Of(_) = shape(schema, &name, &prefix, facts)? {
                continue;
            }
            // A type that is no object has no fields of its own.
            facts.types.entry(name).or_default();
        }
    }
    Ok(())
}

/// The revision of a document.
pub(crate) fn about(json: &Json) -> (String, String) {
    let word = |key: &str| json[key].as_str().unwrap_or_default();
    (format!("{} {} {}", word("name"), word("version"), word("revision")), String::new())
}

fn gather<'j>(json: &'j Json, out: &mut Vec<&'j Json>) {
    out.extend(json["methods"].as_object().into_iter().flatten().map(|(_, method)| method));
    for (_, resource) in json["resources"].as_object().into_iter().flatten() {
        gather(resource, out);
    }
}

fn accepts(parameter: &Json) -> Accepts {
    let listed: Vec<String> = parameter["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|v| Some(v.as_str()?.to_owned()))
        .collect();
    // Numbers are written as texts in these documents.
    let most = parameter["maximum"].as_str().and_then(|most| most.parse().ok());
    let values = if let (Some("integer"), Some(most)) = (parameter["type"].as_str(), most) {
        Values::UpTo(most)
    } else if listed.is_empty() {
        Values::Typed(parameter["type"].as_str().unwrap_or("string").to_owned())
    } else {
        Values::Listed(listed)
    };
    Accepts { required: parameter["required"] == Json::Bool(true), values }
}

fn shape(node: &Json, name: &str, prefix: &str, facts: &mut Facts) -> Result<Shape> {
    if let Some(reference) = node["$ref"].as_str() {
        return Ok(Shape::Of(format!("{prefix}.{reference}")));
    }
    let word = node["type"].as_str().unwrap_or("any");
    Ok(match word {
        // JSON has no whole numbers of 64 bits; they are written as texts.
        "string" if node["format"].as_str().is_some_and(|format| format.ends_with("int64")) => Shape::Whole,
        "string" => Shape::Text,
        "integer" => Shape::Whole,
        "number" => Shape::Number,
        "boolean" => Shape::Truth,
        "any" => Shape::Any,
        "array" => shape(&node["items"], name, prefix, facts)?.list(),
        "object" if node["properties"].is_object() => {
            let mut found = Type::default();
            for (field, schema) in node["properties"].as_object().into_iter().flatten() {
                found.fields.insert(field.clone(), shape(schema, &format!("{name}.{field}"), prefix, facts)?);
            }
            facts.types.insert(name.to_owned(), found);
            Shape::Of(name.to_owned())
        }
        "object" if node["additionalProperties"].is_object() => {
            Shape::Map(Box::new(shape(&node["additionalProperties"], &format!("{name}.any"), prefix, facts)?))
        }
        "object" => Shape::Free,
        other => return Err(format!("{name}: no type is called '{other}'")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_nested_resources_are_found_with_flat_paths_and_common_parameters() {
        let json = serde_json::json!({
            "name": "people", "version": "v1", "rootUrl": "https://p.example/", "servicePath": "base/",
            "parameters": { "fields": { "type": "string", "location": "query" } },
            "resources": { "orgs": { "resources": { "people": { "methods": { "list": {
                "httpMethod": "GET", "path": "v1/{+parent}/people", "flatPath": "v1/orgs/{orgsId}/people",
                "parameters": {
                    "parent": { "type": "string", "location": "path", "required": true },
                    "view": { "type": "string", "location": "query", "enum": ["FULL", "BASIC"], "required": true }
                },
                "response": { "$ref": "People" }
            } } } } } },
            "schemas": {
                "People": { "type": "object", "properties": { "people": { "type": "array", "items": { "$ref": "Person" } }, "size": { "type": "string", "format": "int64" } } },
                "Person": { "type": "object", "properties": { "admin": { "type": "boolean" }, "name": { "type": "object", "properties": { "full": { "type": "string" } } } } }
            }
        });
        let asked = [
            ("GET".to_owned(), vec!["https://p.example/base/v1/orgs/mine/people".to_owned()]),
            ("GET".to_owned(), vec!["https://other.example/base/v1/orgs/{}/people".to_owned()]),
        ];
        let mut facts = Facts::default();
        describe(&json, &asked, &mut facts).unwrap();
        assert_eq!(facts.requests.len(), 1);
        let request = &facts.requests["GET https://p.example/base/v1/orgs/{orgsId}/people"];
        let parameters: Vec<_> =
            request.parameters.iter().map(|(name, a)| format!("{name} {}", a.write())).collect();
        assert_eq!(parameters, ["fields string", "view =FULL|BASIC!"]);
        assert_eq!(request.answer.to_string(), "#people.v1.People");
        assert_eq!(facts.types["people.v1.People"].fields["size"], Shape::Whole);
        assert_eq!(facts.types["people.v1.Person"].fields["name"].to_string(), "#people.v1.Person.name");
    }
}
