//! SCIM's schemas (RFC 7643 section 7), one JSON file for each: the types of users, groups and configurations.
//!
//! They describe no requests and no common attributes; RFC 7644 says those in prose, and `pages.toml` says where.

use super::facts::Facts;
use super::shape::{Shape, Type};
use crate::Result;
use serde_json::Value as Json;

/// Adds one schema as a type of its own name.
pub(crate) fn describe(json: &Json, facts: &mut Facts) -> Result {
    let id = json["id"].as_str().ok_or("no `id`: not a SCIM schema")?;
    let attributes = json["attributes"].as_array().ok_or_else(|| format!("{id}: no `attributes`"))?;
    let found = object(attributes, id, facts)?;
    facts.types.insert(id.to_owned(), found);
    Ok(())
}

fn object(attributes: &[Json], name: &str, facts: &mut Facts) -> Result<Type> {
    let mut found = Type::default();
    for attribute in attributes {
        let own = attribute["name"].as_str().ok_or_else(|| format!("{name}: an attribute without a name"))?;
        let full = format!("{name}.{own}");
        let shape = match attribute["type"].as_str().unwrap_or("string").to_lowercase().as_str() {
            "string" | "reference" | "binary" | "datetime" => Shape::Text,
            "boolean" => Shape::Truth,
            "integer" => Shape::Whole,
            "decimal" => Shape::Number,
            "complex" => {
                let inner = attribute["subAttributes"].as_array().map_or(&[][..], Vec::as_slice);
                let inner = object(inner, &full, facts)?;
                facts.types.insert(full.clone(), inner);
                Shape::Of(full)
            }
            other => return Err(format!("{full}: no type is called '{other}'")),
        };
        let many = attribute["multiValued"] == Json::Bool(true);
        found.fields.insert(own.to_owned(), if many { shape.list() } else { shape });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_fields() {
        let json = serde_json::json!({ "id": "urn:x:User", "attributes": [
            { "name": "userName", "type": "string", "multiValued": false },
            { "name": "active", "type": "boolean" },
            { "name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{ "name": "value", "type": "string" }] }
        ] });
        let mut facts = Facts::default();
        describe(&json, &mut facts).unwrap();
        let user = &facts.types["urn:x:User"];
        assert_eq!(user.fields["active"], Shape::Truth);
        assert_eq!(user.fields["emails"].to_string(), "[#urn:x:User.emails]");
        assert_eq!(facts.types["urn:x:User.emails"].fields["value"], Shape::Text);
        let odd = serde_json::json!({ "id": "u", "attributes": [{ "name": "a", "type": "text" }] });
        assert_eq!(describe(&odd, &mut facts).unwrap_err(), "u.a: no type is called 'text'");
    }
}
