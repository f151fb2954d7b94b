//! OData's entity model (CSDL, XML): Microsoft Graph's `$metadata`. It describes types and where they hang; addresses follow
//! from OData's rules (OData 4.01 part 2, sections 4.3 to 4.11), query options from section 5.1.

use super::facts::{Accepts, Facts, Operation, Values};
use super::shape::{Shape, Type};
use super::xml::{self, Tag};
use crate::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The model: types by qualified name, and what hangs directly under the root.
#[derive(Default)]
struct Model {
    types: BTreeMap<String, Entity>,
    enums: BTreeSet<String>,
    roots: BTreeMap<String, Place>,
    /// Bound functions: the type they are bound to, their name, what they answer.
    functions: Vec<(Place, String, Place)>,
}

#[derive(Default)]
struct Entity {
    base: Option<String>,
    fields: BTreeMap<String, Place>,
    /// Those of the fields that are navigation properties.
    navigation: BTreeSet<String>,
}

/// Where an address leads: a type, or a collection of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: String,
    many: bool,
}

/// Adds what the model says about these requests, `root` being the address that the model describes.
pub(crate) fn describe(text: &str, root: &str, asked: &[(String, Vec<String>)], facts: &mut Facts) -> Result {
    let model = Model::read(text)?;
    for (method, addresses) in asked.iter().filter(|(method, _)| method == "GET") {
        let paths = addresses.iter().filter_map(|address| address.strip_prefix(root));
        let Some((path, place)) = paths.into_iter().find_map(|path| Some((path, model.lead(path)?))) else {
            continue;
        };
        let key = format!("{method} {root}{path}");
        let answer = if place.many { envelope(&model, &place, facts) } else { model.shape(&place) };
        facts.requests.insert(key, Operation { parameters: options(place.many), answer, page: None });
    }
    for name in model.types.keys() {
        let mut found = Type { fields: model.fields(name), ..Type::default() };
        let lineage = model.lineage(name);
        let navigation =
            lineage.iter().filter_map(|name| model.types.get(name)).flat_map(|entity| &entity.navigation);
        found.expand = navigation.cloned().collect();
        found.also = model
            .types
            .iter()
            .filter(|(_, e)| e.base.as_ref() == Some(name))
            .map(|(n, _)| n.clone())
            .collect();
        facts.types.insert(name.clone(), found);
    }
    Ok(())
}

/// OData's system query options.
fn options(many: bool) -> BTreeMap<String, Accepts> {
    let typed = |word: &str| Values::Typed(word.to_owned());
    let mut all =
        vec![("$select", Values::Fields), ("$expand", Values::Fields), ("$format", typed("string"))];
    if many {
        all.extend([
            ("$filter", typed("string")),
            ("$search", typed("string")),
            ("$orderby", typed("string")),
            ("$top", typed("integer")),
            ("$skip", typed("integer")),
            ("$skiptoken", typed("string")),
            ("$count", typed("boolean")),
        ]);
    }
    all.into_iter().map(|(name, values)| (name.to_owned(), Accepts { required: false, values })).collect()
}

/// The answer of a collection (OData JSON format, section 4.5 and 13).
fn envelope(model: &Model, place: &Place, facts: &mut Facts) -> Shape {
    let name = format!("collection of {}", place.name);
    let mut found = Type::default();
    found.fields.insert("value".to_owned(), model.shape(place));
    found.fields.insert("@odata.nextLink".to_owned(), Shape::Text);
    found.fields.insert("@odata.count".to_owned(), Shape::Whole);
    facts.types.insert(name.clone(), found);
    Shape::Of(name)
}

impl Model {
    fn read(text: &str) -> Result<Self> {
        let mut model = Self::default();
        let (mut namespace, mut alias) = (String::new(), String::new());
        let mut owner: Option<String> = None;
        let mut function: Option<(String, Option<Place>, Option<Place>)> = None;
        for tag in xml::tags(text)? {
            let place =
                |tag: &Tag<'_>, key: &str| tag.get(key).map(|word| Place::read(word, &alias, &namespace));
            match tag.name {
                "Schema" if !tag.closes => {
                    namespace = tag.get("Namespace").unwrap_or_default().to_owned();
                    alias = tag.get("Alias").unwrap_or_default().to_owned();
                }
                "EntityType" | "ComplexType" if tag.closes => owner = None,
                "EntityType" | "ComplexType" => {
                    let name = format!("{namespace}.{}", tag.need("Name")?);
                    let base = place(&tag, "BaseType").map(|base| base.name);
                    model.types.insert(name.clone(), Entity { base, ..Entity::default() });
                    owner = (!tag.empty).then_some(name);
                }
                "EnumType" if !tag.closes => {
                    model.enums.insert(format!("{namespace}.{}", tag.need("Name")?));
                }
                "Property" | "NavigationProperty" if !tag.closes => {
                    if let (Some(entity), Some(place)) =
                        (owner.as_ref().and_then(|o| model.types.get_mut(o)), place(&tag, "Type"))
                    {
                        let name = tag.need("Name")?.to_owned();
                        if tag.name == "NavigationProperty" {
                            entity.navigation.insert(name.clone());
                        }
                        entity.fields.insert(name, place);
                    }
                }
                "EntitySet" if !tag.closes => {
                    if let Some(place) = place(&tag, "EntityType") {
                        model.roots.insert(tag.need("Name")?.to_owned(), Place { many: true, ..place });
                    }
                }
                "Singleton" if !tag.closes => {
                    if let Some(place) = place(&tag, "Type") {
                        model.roots.insert(tag.need("Name")?.to_owned(), place);
                    }
                }
                "Function" if tag.closes => {
                    if let Some((name, Some(bound), Some(answer))) = function.take() {
                        model.functions.push((bound, name, answer));
                    }
                }
                "Function" if tag.get("IsBound") == Some("true") && !tag.empty => {
                    function = Some((tag.need("Name")?.to_owned(), None, None));
                }
                "Parameter" => {
                    if let Some((_, bound @ None, _)) = &mut function {
                        *bound = place(&tag, "Type");
                    }
                }
                "ReturnType" => {
                    if let Some((_, _, answer)) = &mut function {
                        *answer = place(&tag, "Type");
                    }
                }
                _ => {}
            }
        }
        if model.roots.is_empty() {
            return Err("no EntityContainer with anything in it: not a CSDL file".to_owned());
        }
        Ok(model)
    }

    /// Where a path leads.
    fn lead(&self, path: &str) -> Option<Place> {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let mut at = self.roots.get(segments.next()?)?.clone();
        for segment in segments {
            at = self.step(&at, segment)?;
        }
        Some(at)
    }

    fn step(&self, at: &Place, segment: &str) -> Option<Place> {
        let call = segment.split('(').next().unwrap_or(segment);
        let own = call.rsplit('.').next().unwrap_or(call);
        let lineage = self.lineage(&at.name);
        let function = || {
            let mut bound = self
                .functions
                .iter()
                .filter(|(to, name, _)| name == own && to.many == at.many && lineage.contains(&to.name));
            bound.next().map(|(_, _, answer)| answer.clone())
        };
        let cast =
            self.types.contains_key(segment).then(|| Place { name: segment.to_owned(), many: at.many });
        if at.many {
            let key = (segment == "{}").then(|| Place { name: at.name.clone(), many: false });
            let count = (segment == "$count").then(|| Place { name: "Edm.Int64".to_owned(), many: false });
            return key.or(count).or(cast).or_else(function);
        }
        let field = lineage.iter().find_map(|name| self.types.get(name)?.fields.get(segment)).cloned();
        field.or(cast).or_else(function)
    }

    /// A type and what it inherits from, nearest first.
    fn lineage(&self, name: &str) -> Vec<String> {
        let mut all = vec![name.to_owned()];
        while let Some(base) =
            all.last().and_then(|last| self.types.get(last)).and_then(|entity| entity.base.clone())
        {
            if all.contains(&base) {
                break;
            }
            all.push(base);
        }
        all
    }

    /// The fields of a type, inherited ones included; every object may tell its type.
    fn fields(&self, name: &str) -> BTreeMap<String, Shape> {
        let mut all = BTreeMap::from([("@odata.type".to_owned(), Shape::Text)]);
        for name in self.lineage(name).iter().rev() {
            let fields = self.types.get(name).into_iter().flat_map(|entity| &entity.fields);
            all.extend(fields.map(|(field, place)| (field.clone(), self.shape(place))));
        }
        all
    }

    fn shape(&self, place: &Place) -> Shape {
        let one = match place.name.as_str() {
            "Edm.String" | "Edm.Guid" | "Edm.DateTimeOffset" | "Edm.Date" | "Edm.Duration" | "Edm.Binary"
            | "Edm.TimeOfDay" => Shape::Text,
            "Edm.Boolean" => Shape::Truth,
            "Edm.Int16" | "Edm.Int32" | "Edm.Int64" | "Edm.Byte" | "Edm.SByte" => Shape::Whole,
            "Edm.Double" | "Edm.Single" | "Edm.Decimal" => Shape::Number,
            name if self.enums.contains(name) => Shape::Text,
            name if self.types.contains_key(name) => Shape::Of(name.to_owned()),
            _ => Shape::Any,
        };
        if place.many { one.list() } else { one }
    }
}

impl Place {
    /// `graph.user`, `Collection(graph.user)`.
    fn read(word: &str, alias: &str, namespace: &str) -> Self {
        let inner = word.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')'));
        let name = inner.unwrap_or(word);
        let name = match name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) if !alias.is_empty() => format!("{namespace}.{rest}"),
            _ => name.to_owned(),
        };
        Self { name, many: inner.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = r#"<?xml version="1.0"?>
<edmx:Edmx Version="4.0"><edmx:DataServices>
  <Schema Namespace="org.graph" Alias="g">
    <EnumType Name="state"><Member Name="on" Value="0" /></EnumType>
    <EntityType Name="thing" Abstract="true"><Property Name="id" Type="Edm.String" /></EntityType>
    <EntityType Name="user" BaseType="g.thing">
      <Property Name="state" Type="g.state" />
      <Property Name="tags" Type="Collection(Edm.String)" />
      <NavigationProperty Name="owned" Type="Collection(g.thing)" />
    </EntityType>
    <EntityType Name="root"><NavigationProperty Name="people" Type="Collection(g.user)" /></EntityType>
    <Function Name="recent" IsBound="true"><Parameter Name="bound" Type="Collection(g.user)" /><ReturnType Type="Collection(g.user)" /></Function>
    <EntityContainer Name="all"><EntitySet Name="users" EntityType="org.graph.user" /><Singleton Name="top" Type="org.graph.root" /></EntityContainer>
  </Schema>
</edmx:DataServices></edmx:Edmx>"#;

    #[test]
    fn addresses_follow_from_the_model() {
        let model = Model::read(MODEL).unwrap();
        let lead = |path: &str| model.lead(path).map(|place| (place.name, place.many));
        let user = |many| Some(("org.graph.user".to_owned(), many));
        assert_eq!(lead("/users"), user(true));
        assert_eq!(lead("/users/{}"), user(false));
        assert_eq!(lead("/top/people"), user(true));
        assert_eq!(lead("/top/people/{}/owned"), Some(("org.graph.thing".to_owned(), true)));
        assert_eq!(lead("/users/{}/owned/org.graph.user"), user(true));
        assert_eq!(lead("/users/recent()"), user(true));
        for wrong in [
            "/userss",
            "/users/owned",
            "/top/person",
            "/users/{}/recent()",
            "/users/{}/owned/org.graph.nobody",
        ] {
            assert_eq!(lead(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_collection_answers_with_its_envelope() {
        let mut facts = Facts::default();
        let asked =
            [("GET".to_owned(), vec!["https://g.example/v1/users".to_owned(), "/v1/users".to_owned()])];
        describe(MODEL, "https://g.example/v1", &asked, &mut facts).unwrap();
        let request = &facts.requests["GET https://g.example/v1/users"];
        assert_eq!(request.parameters["$select"].values, Values::Fields);
        assert_eq!(
            facts.types["collection of org.graph.user"].fields["value"].to_string(),
            "[#org.graph.user]"
        );
        let user = &facts.types["org.graph.user"];
        assert_eq!(user.fields["id"], Shape::Text, "inherited");
        assert_eq!(user.expand.iter().collect::<Vec<_>>(), ["owned"]);
        assert_eq!(user.fields["state"], Shape::Text, "an enumeration is a text");
        assert!(
            facts.types["org.graph.thing"].also.contains("org.graph.user"),
            "what inherits from it is a variant"
        );
        assert!(describe("<a/>", "", &[], &mut facts).is_err());
    }
}
