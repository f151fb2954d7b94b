//! Descriptions in OpenAPI 3 (and Swagger 2): the requests that are asked, with their answers' types.

use super::asks::{emptied, is_of};
use super::facts::{Accepts, Facts, Operation, Values};
use super::shape::{Shape, Type, choice};
use crate::Result;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// How deep references and variants are followed before a description is taken for broken.
const DEPTH: usize = 64;

/// Adds what the description says about these requests (`GET`, addresses). `root` replaces the address of the server.
pub(crate) fn describe(
    json: &Json,
    root: Option<&str>,
    asked: &[(String, Vec<String>)],
    facts: &mut Facts,
) -> Result {
    let paths = json["paths"].as_object().ok_or("no `paths`: not an OpenAPI description")?;
    let server = root.map_or_else(|| server(json), str::to_owned);
    let mut reader = Reader { json, facts, building: BTreeSet::new(), named: BTreeMap::new() };
    for (method, addresses) in asked {
        let Some((path, item)) = find(paths, &server, method, addresses) else { continue };
        let operation = &item[method.to_lowercase()];
        let key = format!("{method} {server}{path}");
        let mut parameters = BTreeMap::new();
        for list in [&item["parameters"], &operation["parameters"]] {
            for parameter in list.as_array().into_iter().flatten() {
                let parameter = resolved(json, parameter, 0)?;
                let Some(name) = parameter["name"].as_str() else { continue };
                let accepts = accepts(json, parameter)?;
                match parameter["in"].as_str() {
                    Some("query") => {
                        parameters.insert(name.to_owned(), accepts);
                    }
                    // Of placeholders in the path only those are of interest that take certain words.
                    Some("path") if matches!(accepts.values, Values::Listed(_)) => {
                        parameters.insert(format!("{{{name}}}"), accepts);
                    }
                    _ => {}
                }
            }
        }
        let mut answers = Vec::new();
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            if status.starts_with('2') {
                let hint = path.replace(['{', '}', '|', '[', ']'], "");
                answers.extend(reader.answer(answer, &format!("{method} {hint}"))?);
            }
        }
        let request = Operation { parameters, answer: choice(answers), page: None };
        reader.facts.requests.insert(key, request);
    }
    Ok(())
}

/// The version and the licence that a description gives itself.
pub(crate) fn about(json: &Json) -> (String, String) {
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    (word(&json["info"]["version"]), word(&json["info"]["license"]["name"]))
}

/// The server's address; where it has placeholders, the path of it.
fn server(json: &Json) -> String {
    let address = match json["servers"][0]["url"].as_str() {
        Some(address) => address.to_owned(),
        None => format!(
            "https://{}{}",
            json["host"].as_str().unwrap_or("{host}"),
            json["basePath"].as_str().unwrap_or_default()
        ),
    };
    let address = address.trim_end_matches('/');
    let origin_end = address
        .find("://")
        .map_or(0, |at| address[at + 3..].find('/').map_or(address.len(), |to| at + 3 + to));
    let (origin, path) = address.split_at(origin_end);
    if origin.contains('{') { path.to_owned() } else { address.to_owned() }
}

/// The path of the description that one of the addresses is of: the same words first, then with words for placeholders.
fn find<'j>(
    paths: &'j serde_json::Map<String, Json>,
    server: &str,
    method: &str,
    addresses: &[String],
) -> Option<(&'j str, &'j Json)> {
    let method = method.to_lowercase();
    let known = || paths.iter().filter(|(_, item)| item.get(&method).is_some());
    let template = |path: &str| emptied(&format!("{server}{path}"));
    known()
        .find(|(path, _)| addresses.contains(&template(path)))
        .or_else(|| known().find(|(path, _)| addresses.iter().any(|address| is_of(address, &template(path)))))
        .map(|(path, item)| (path.as_str(), item))
}

/// What `$ref` leads to.
fn resolved<'j>(json: &'j Json, node: &'j Json, depth: usize) -> Result<&'j Json> {
    match node["$ref"].as_str() {
        None => Ok(node),
        Some(_) if depth > DEPTH => Err("references lead in a circle".to_owned()),
        Some(reference) => {
            let pointer = reference
                .strip_prefix('#')
                .ok_or_else(|| format!("{reference}: a file of its own is not followed"))?;
            let target = json.pointer(pointer).ok_or_else(|| format!("{reference} leads nowhere"))?;
            resolved(json, target, depth + 1)
        }
    }
}

fn accepts(json: &Json, parameter: &Json) -> Result<Accepts> {
    let schema =
        if parameter["schema"].is_object() { resolved(json, &parameter["schema"], 0)? } else { parameter };
    let listed: Vec<String> = schema["enum"].as_array().into_iter().flatten().map(plain).collect();
    let values = if let (Some("integer"), Some(most)) = (schema["type"].as_str(), schema["maximum"].as_i64())
    {
        Values::UpTo(most)
    } else if listed.is_empty() {
        Values::Typed(schema["type"].as_str().unwrap_or("string").to_owned())
    } else {
        Values::Listed(listed)
    };
    Ok(Accepts { required: parameter["required"] == Json::Bool(true), values })
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Turns schemas into types, each named one once.
struct Reader<'j, 'f> {
    json: &'j Json,
    facts: &'f mut Facts,
    building: BTreeSet<String>,
    /// Named schemas that are no objects of their own: lists, texts, choices.
    named: BTreeMap<String, Shape>,
}

impl<'j> Reader<'j, '_> {
    /// The shapes of one answer: of its JSON, whatever that is called.
    fn answer(&mut self, answer: &'j Json, hint: &str) -> Result<Vec<Shape>> {
        let answer = resolved(self.json, answer, 0)?;
        if answer["schema"].is_object() {
            return Ok(vec![self.shape(&answer["schema"], hint)?]);
        }
        let bodies = answer["content"].as_object().into_iter().flatten();
        let json = bodies.filter(|(media, _)| media.contains("json") || media.contains('*'));
        json.filter(|(_, body)| body["schema"].is_object())
            .map(|(_, body)| self.shape(&body["schema"], hint))
            .collect()
    }

    fn shape(&mut self, node: &'j Json, hint: &str) -> Result<Shape> {
        let Some(reference) = node["$ref"].as_str() else { return self.bare(node, hint) };
        let name = reference.rsplit('/').next().unwrap_or(reference);
        if self.facts.types.contains_key(name) {
            return Ok(Shape::Of(name.to_owned()));
        }
        if let Some(known) = self.named.get(name) {
            return Ok(known.clone());
        }
        // A type that is no object and names itself (a value that may be a list of such values) ends here.
        if !self.building.insert(name.to_owned()) {
            return Ok(Shape::Any);
        }
        let shape = self.bare(resolved(self.json, node, 0)?, name)?;
        self.building.remove(name);
        self.named.insert(name.to_owned(), shape.clone());
        Ok(shape)
    }

    /// A schema that is written out; `name` is what an object in it will be called.
    fn bare(&mut self, node: &'j Json, name: &str) -> Result<Shape> {
        if self.has_fields(node, 0)? {
            return self.object(node, name);
        }
        let mut all = Vec::new();
        // A type that is only given a description: `allOf` of it and of prose.
        for part in node["allOf"].as_array().into_iter().flatten() {
            if ["$ref", "type", "enum", "oneOf", "anyOf"].iter().any(|key| part.get(key).is_some()) {
                all.push(self.shape(part, name)?);
            }
        }
        for key in ["oneOf", "anyOf"] {
            for (at, part) in node[key].as_array().into_iter().flatten().enumerate() {
                all.push(self.shape(part, &format!("{name}.{at}"))?);
            }
        }
        if !all.is_empty() {
            return Ok(choice(all));
        }
        let words: Vec<&str> = match &node["type"] {
            Json::Array(words) => {
                words.iter().filter_map(Json::as_str).filter(|word| *word != "null").collect()
            }
            one => one.as_str().into_iter().collect(),
        };
        let shapes =
            words.into_iter().map(|word| self.simple(node, word, name)).collect::<Result<Vec<_>>>()?;
        Ok(match (shapes.is_empty(), node["enum"].is_array()) {
            (false, _) => choice(shapes),
            (true, true) => Shape::Text,
            (true, false) if node["additionalProperties"].is_object() => self.simple(node, "object", name)?,
            (true, false) => Shape::Any,
        })
    }

    /// Whether a schema, or something it is composed of, names fields.
    fn has_fields(&self, node: &Json, depth: usize) -> Result<bool> {
        if depth > DEPTH {
            return Err("`allOf` leads in a circle".to_owned());
        }
        let own = node["properties"].as_object().is_some_and(|all| !all.is_empty());
        let mut parts = node["allOf"].as_array().into_iter().flatten();
        Ok(own
            || parts.try_fold(false, |found, part| {
                Ok::<_, String>(found || self.has_fields(resolved(self.json, part, 0)?, depth + 1)?)
            })?)
    }

    fn simple(&mut self, node: &'j Json, word: &str, name: &str) -> Result<Shape> {
        Ok(match word {
            "string" => Shape::Text,
            "integer" => Shape::Whole,
            "number" => Shape::Number,
            "boolean" => Shape::Truth,
            "array" => self.shape(&node["items"], name)?.list(),
            "object" if node["additionalProperties"].as_object().is_some_and(|all| !all.is_empty()) => {
                Shape::Map(Box::new(self.shape(&node["additionalProperties"], &format!("{name}.any"))?))
            }
            "object" => Shape::Free,
            other => return Err(format!("{name}: no type is called '{other}'")),
        })
    }

    fn object(&mut self, node: &'j Json, name: &str) -> Result<Shape> {
        let mut fresh = name.to_owned();
        while self.facts.types.contains_key(&fresh) {
            fresh.push('\'');
        }
        self.facts.types.insert(fresh.clone(), Type::default());
        let mut found = Type::default();
        self.gather(node, &fresh, &mut found, 0)?;
        // Variants that a discriminator tells apart belong to the type that is named, not to what inherits from it.
        for target in
            node["discriminator"]["mapping"].as_object().into_iter().flatten().map(|(_, target)| target)
        {
            if let Some(at) = target.as_str().filter(|at| at.starts_with("#/")) {
                let node = self.json.pointer(&at[1..]).ok_or_else(|| format!("{at} leads nowhere"))?;
                let variant = at.rsplit('/').next().unwrap_or(at);
                if variant != fresh && !self.facts.types.contains_key(variant) {
                    self.bare(node, variant)?;
                }
                if variant != fresh && self.facts.types.contains_key(variant) {
                    found.also.insert(variant.to_owned());
                }
            }
        }
        self.facts.types.insert(fresh.clone(), found);
        Ok(Shape::Of(fresh))
    }

    /// The fields of an object and of all that it is composed of.
    fn gather(&mut self, node: &'j Json, name: &str, found: &mut Type, depth: usize) -> Result {
        if depth > DEPTH {
            return Err(format!("{name}: `allOf` leads in a circle"));
        }
        for (field, schema) in node["properties"].as_object().into_iter().flatten() {
            let shape = self.shape(schema, &format!("{name}.{field}"))?;
            // A part that repeats a field without saying anything about it must not hide what another part says.
            let merged = match found.fields.remove(field) {
                Some(before) if shape == Shape::Any => before,
                Some(before) if before != Shape::Any => choice(vec![before, shape]),
                _ => shape,
            };
            found.fields.insert(field.clone(), merged);
        }
        for part in node["allOf"].as_array().into_iter().flatten() {
            self.gather(resolved(self.json, part, 0)?, name, found, depth + 1)?;
        }
        for key in ["oneOf", "anyOf"] {
            for (at, part) in node[key].as_array().into_iter().flatten().enumerate() {
                let variant = self.shape(part, &format!("{name}.{at}"))?;
                variant.names(&mut |variant| {
                    if variant != name {
                        found.also.insert(variant.to_owned());
                    }
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str, asked: &[(&str, &str)]) -> Facts {
        let json: Json = serde_json::from_str(text).unwrap();
        let asked: Vec<_> =
            asked.iter().map(|(method, at)| ((*method).to_owned(), vec![(*at).to_owned()])).collect();
        let mut facts = Facts::default();
        describe(&json, None, &asked, &mut facts).unwrap();
        facts
    }

    const POLICIES: &str = r##"{
      "servers": [{ "url": "https://{domain}" }],
      "paths": {
        "/policies": { "get": {
          "parameters": [
            { "$ref": "#/components/parameters/limit" },
            { "in": "query", "name": "kind", "required": true, "schema": { "type": "string", "enum": ["A", "B"] } },
            { "in": "header", "name": "X", "schema": { "type": "string" } }
          ],
          "responses": { "200": { "content": { "application/json": { "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Policy" } } } } } }
        } },
        "/policies/{id}": { "get": { "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Policy" } } } } } } },
        "/unasked": { "get": { "responses": {} } }
      },
      "components": {
        "parameters": { "limit": { "in": "query", "name": "limit", "schema": { "type": "integer" } } },
        "schemas": {
          "Base": { "type": "object", "properties": { "id": { "type": "string" }, "next": { "$ref": "#/components/schemas/Policy" }, "state": { "allOf": [{ "$ref": "#/components/schemas/State" }, { "description": "x" }] } } },
          "State": { "type": "string", "enum": ["on", "off"] },
          "Policy": { "allOf": [{ "$ref": "#/components/schemas/Base" }, { "type": "object", "properties": { "priority": { "type": "integer" } } }],
            "discriminator": { "propertyName": "kind", "mapping": { "A": "#/components/schemas/PolicyA" } } },
          "PolicyA": { "allOf": [{ "$ref": "#/components/schemas/Policy" }, { "properties": { "settings": { "type": "object", "properties": { "on": { "type": ["boolean", "null"] } } } } }] },
          "Nested": { "oneOf": [{ "type": "string" }, { "type": "array", "items": { "$ref": "#/components/schemas/Nested" } }] }
        }
      }
    }"##;

    #[test]
    fn only_what_is_asked_is_taken_with_parameters_and_variants() {
        let facts = described(
            POLICIES,
            &[("GET", "/policies"), ("GET", "/policies/{}"), ("GET", "/absent"), ("POST", "/policies")],
        );
        assert_eq!(facts.requests.keys().collect::<Vec<_>>(), ["GET /policies", "GET /policies/{id}"]);
        let list = &facts.requests["GET /policies"];
        let parameters: Vec<_> =
            list.parameters.iter().map(|(name, accepts)| format!("{name} {}", accepts.write())).collect();
        assert_eq!(parameters, ["kind =A|B!", "limit integer"]);
        assert_eq!(list.answer.to_string(), "[#Policy]");
        let policy = &facts.types["Policy"];
        assert_eq!(policy.fields["id"], Shape::Text);
        assert_eq!(policy.fields["priority"], Shape::Whole);
        assert_eq!(policy.fields["state"], Shape::Text, "a text that is given a description stays a text");
        assert_eq!(policy.fields["next"], Shape::Of("Policy".to_owned()));
        assert_eq!(policy.also.iter().collect::<Vec<_>>(), ["PolicyA"]);
        assert!(facts.types["PolicyA"].also.is_empty(), "a variant is not its siblings");
        assert_eq!(facts.types["PolicyA.settings"].fields["on"], Shape::Truth);
    }

    #[test]
    fn a_type_that_holds_itself_ends() {
        let json: Json = serde_json::from_str(POLICIES).unwrap();
        let mut facts = Facts::default();
        let mut reader =
            Reader { json: &json, facts: &mut facts, building: BTreeSet::new(), named: BTreeMap::new() };
        let node = serde_json::json!({ "$ref": "#/components/schemas/Nested" });
        let node: &'static Json = Box::leak(Box::new(node));
        let json: &'static Json = Box::leak(Box::new(json.clone()));
        reader.json = json;
        assert_eq!(reader.shape(node, "x").unwrap().to_string(), "string|[any]");
    }

    #[test]
    fn a_server_with_a_fixed_origin_is_part_of_the_address() {
        assert_eq!(
            server(&serde_json::json!({ "servers": [{ "url": "https://a.example/v1/" }] })),
            "https://a.example/v1"
        );
        assert_eq!(server(&serde_json::json!({ "servers": [{ "url": "https://{x}.example/v1" }] })), "/v1");
        assert_eq!(
            server(&serde_json::json!({ "host": "a.example", "basePath": "/api" })),
            "https://a.example/api"
        );
        assert_eq!(server(&serde_json::json!({})), "");
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_refused() {
        let text = POLICIES
            .replace("\"$ref\": \"#/components/schemas/Base\"", "\"$ref\": \"#/components/schemas/Bass\"");
        let json: Json = serde_json::from_str(&text).unwrap();
        let asked = [("GET".to_owned(), vec!["/policies".to_owned()])];
        let error = describe(&json, None, &asked, &mut Facts::default()).unwrap_err();
        assert_eq!(error, "#/components/schemas/Bass leads nowhere");
    }
}
