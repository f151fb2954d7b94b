//! The facts about an application's API: what was cut out of the vendor's description (`facts.json`) and what was read
//! on pages (`pages.toml`), and how they are kept.

use super::shape::{Shape, Type, Types};
use crate::Result;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A vendor's description that facts were cut from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it can be had: a package with its version and file, or an address.
    pub(crate) from: String,
    /// The version it gives itself.
    pub(crate) version: String,
    /// The digest of the file.
    pub(crate) sha256: String,
    /// The licence of the description.
    pub(crate) licence: String,
}

impl Source {
    /// How it is told to people.
    pub(crate) fn told(&self) -> String {
        let version =
            if self.version.is_empty() { String::new() } else { format!(", version {}", self.version) };
        format!("{}{version}, sha256 {}", self.from, self.sha256)
    }
}

/// What a request takes and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Query parameters: name to what they accept. `{name}` is a placeholder of the path that takes certain words only.
    pub(crate) parameters: BTreeMap<String, Accepts>,
    /// The answer's form.
    pub(crate) answer: Shape,
    /// The page it was read from, where no machine-readable description has it.
    pub(crate) page: Option<String>,
}

/// What a query parameter accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepts {
    /// The request is refused without it.
    pub(crate) required: bool,
    /// The values.
    pub(crate) values: Values,
}

/// The values of a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    /// Any of a type: `string`, `integer`.
    Typed(String),
    /// A whole number up to this.
    UpTo(i64),
    /// One of these.
    Listed(Vec<String>),
    /// Names of the answer's fields, with commas between (OData's `$select` and `$expand`).
    Fields,
}

impl Accepts {
    /// Reads `integer`, `integer<=200`, `string!` (required), `=a|b` (listed) and `fields`.
    pub(crate) fn read(text: &str) -> Self {
        let (text, required) = text.strip_suffix('!').map_or((text, false), |text| (text, true));
        let values = match text.strip_prefix('=') {
            Some(listed) => Values::Listed(listed.split('|').map(str::to_owned).collect()),
            None if text == "fields" => Values::Fields,
            None => match text.strip_prefix("integer<=").and_then(|most| most.parse().ok()) {
                Some(most) => Values::UpTo(most),
                None => Values::Typed(text.to_owned()),
            },
        };
        Self { required, values }
    }

    /// The form that [`Accepts::read`] reads.
    pub(crate) fn write(&self) -> String {
        let text = match &self.values {
            Values::Typed(name) => name.clone(),
            Values::UpTo(most) => format!("integer<={most}"),
            Values::Listed(all) => format!("={}", all.join("|")),
            Values::Fields => "fields".to_owned(),
        };
        if self.required { format!("{text}!") } else { text }
    }
}

/// All facts about one application.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The descriptions.
    pub(crate) sources: Vec<Source>,
    /// `GET https://api.example.com/users/{id}` to what it takes and answers. The origin is left out where the
    /// description leaves it open.
    pub(crate) requests: BTreeMap<String, Operation>,
    /// The object types of the answers.
    pub(crate) types: Types,
}

impl Facts {
    /// Reads `facts.json`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let json: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut facts = Self::default();
        for source in json["sources"].as_array().into_iter().flatten() {
            let word = |key: &str| source[key].as_str().unwrap_or_default().to_owned();
            facts.sources.push(Source {
                from: word("from"),
                version: word("version"),
                sha256: word("sha256"),
                licence: word("licence"),
            });
        }
        for (key, request) in json["requests"].as_object().into_iter().flatten() {
            facts.requests.insert(key.clone(), operation(request, None).map_err(|e| format!("{key}: {e}"))?);
        }
        for (name, fields) in json["types"].as_object().into_iter().flatten() {
            facts.types.insert(name.clone(), object(fields, None).map_err(|e| format!("{name}: {e}"))?);
        }
        Ok(facts)
    }

    /// The text of `facts.json`: one line for each request and type, so that a change shows as a readable difference.
    pub(crate) fn write(&self) -> String {
        let mut text = String::from("{\n\"sources\": [\n");
        let sources: Vec<String> = self
            .sources
            .iter()
            .map(|source| {
                let pairs = [
                    ("from", &source.from),
                    ("version", &source.version),
                    ("sha256", &source.sha256),
                    ("licence", &source.licence),
                ];
                let line: Map<String, Json> = pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), Json::from(value.as_str())))
                    .collect();
                format!("  {}", Json::from(line))
            })
            .collect();
        let _ = write!(text, "{}\n],\n\"requests\": {{\n", sources.join(",\n"));
        let requests: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, request)| request.page.is_none())
            .map(|(key, request)| {
                let parameters: Map<String, Json> = request
                    .parameters
                    .iter()
                    .map(|(name, accepts)| (name.clone(), Json::from(accepts.write())))
                    .collect();
                let answer = request.answer.to_string();
                format!(
                    "  {}: {}",
                    Json::from(key.as_str()),
                    serde_json::json!({ "parameters": parameters, "answer": answer })
                )
            })
            .collect();
        let _ = write!(text, "{}\n}},\n\"types\": {{\n", requests.join(",\n"));
        let types: Vec<String> = self
            .types
            .iter()
            .filter(|(_, found)| found.page.is_none())
            .map(|(name, found)| {
                let mut fields: Map<String, Json> = found
                    .fields
                    .iter()
                    .map(|(field, shape)| (field.clone(), Json::from(shape.to_string())))
                    .collect();
                for (key, names) in [(ALSO, &found.also), (EXPAND, &found.expand)] {
                    if !names.is_empty() {
                        fields.insert(key.to_owned(), names.iter().cloned().collect());
                    }
                }
                format!("  {}: {}", Json::from(name.as_str()), Json::from(fields))
            })
            .collect();
        let _ = write!(text, "{}\n}}\n}}\n", types.join(",\n"));
        text
    }

    /// Adds what was read on pages. A page adds requests, types and variants; it never changes what a description says.
    pub(crate) fn add(&mut self, other: Self) -> Result {
        for (key, request) in other.requests {
            if self.requests.insert(key.clone(), request).is_some() {
                return Err(format!("{key}: the vendor's description has it; take it out of pages.toml"));
            }
        }
        for (name, found) in other.types {
            match self.types.get_mut(&name) {
                None => {
                    self.types.insert(name, found);
                }
                Some(present) if found.fields.is_empty() => present.also.extend(found.also),
                Some(_) => {
                    return Err(format!(
                        "{name}: the vendor's description has this type; give the page's another name"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The key that names a type's variants; no field is called so.
const ALSO: &str = "^also";

/// The key that names the fields which need `$expand`.
const EXPAND: &str = "^expand";

/// A request as facts write it, `{ "parameters": { .. }, "answer": ".." }`.
pub(crate) fn operation(json: &Json, page: Option<&str>) -> Result<Operation> {
    let mut parameters = BTreeMap::new();
    for (name, accepts) in json["parameters"].as_object().into_iter().flatten() {
        let text = accepts.as_str().ok_or_else(|| format!("parameter {name}: not a text"))?;
        parameters.insert(name.clone(), Accepts::read(text));
    }
    let answer = json["answer"].as_str().ok_or("no `answer`")?;
    Ok(Operation { parameters, answer: Shape::read(answer)?, page: page.map(str::to_owned) })
}

/// A type as facts write it, `{ "name": "string" }`.
pub(crate) fn object(json: &Json, page: Option<&str>) -> Result<Type> {
    let mut found = Type { page: page.map(str::to_owned), ..Type::default() };
    for (name, value) in json.as_object().ok_or("not a table of fields")? {
        if name == ALSO || name == EXPAND {
            let names = value.as_array().ok_or_else(|| format!("`{name}` is not a list"))?;
            let names = names.iter().filter_map(|name| Some(name.as_str()?.to_owned()));
            if name == ALSO { found.also.extend(names) } else { found.expand.extend(names) }
        } else {
            let text = value.as_str().ok_or_else(|| format!("{name}: not a text"))?;
            found.fields.insert(name.clone(), Shape::read(text).map_err(|e| format!("{name}: {e}"))?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"{
"sources": [
  {"from":"npm x@1 a.json","version":"1","sha256":"ab","licence":"MIT"}
],
"requests": {
  "GET https://a.example/users": {"parameters":{"$select":"fields","page":"integer<=200","role":"=all|admin","size":"integer!"},"answer":"[#user]"}
},
"types": {
  "user": {"id":"integer","^also":["admin"],"^expand":["id"]}
}
}
"##;

    #[test]
    fn facts_are_written_as_they_were_read() {
        assert_eq!(Facts::read(TEXT).unwrap().write(), TEXT);
    }

    #[test]
    fn a_damaged_fact_is_refused_with_its_place() {
        let error = Facts::read(&TEXT.replace("\"integer\",\"^also", "\"intger\",\"^also")).unwrap_err();
        assert_eq!(error, "user: id: no type is called 'intger'");
    }

    #[test]
    fn a_page_adds_and_never_replaces() {
        let mut facts = Facts::read(TEXT).unwrap();
        let mut page = Facts::default();
        page.types.insert(
            "user".to_owned(),
            object(&serde_json::json!({ "^also": ["common"] }), Some("p")).unwrap(),
        );
        page.types.insert(
            "common".to_owned(),
            object(&serde_json::json!({ "meta": "object" }), Some("p")).unwrap(),
        );
        facts.add(page).unwrap();
        assert_eq!(facts.types["user"].also.len(), 2);
        let mut page = Facts::default();
        page.types
            .insert("user".to_owned(), object(&serde_json::json!({ "id": "string" }), Some("p")).unwrap());
        assert!(facts.add(page).unwrap_err().contains("the vendor's description has this type"));
    }
}
