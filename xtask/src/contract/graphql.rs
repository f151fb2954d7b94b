//! GraphQL: documents against a schema, the types of what they answer, and the part of the schema that they use.

use super::shape::{Shape, Type as Object, Types};
use crate::Result;
use graphql_parser::query::{
    Definition, Document, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet, Type,
    TypeCondition, Value, VariableDefinition,
};
use graphql_parser::schema;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Text = String;
type Definitions = BTreeMap<String, schema::TypeDefinition<'static, Text>>;

/// A schema.
pub(crate) struct Schema {
    types: Definitions,
    query: String,
}

/// What documents use of a schema: types, and of each the fields, arguments, values and members.
pub(crate) type Used = BTreeMap<String, BTreeSet<String>>;

impl Schema {
    /// Reads a schema's text.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let document = schema::parse_schema::<Text>(text).map_err(|error| error.to_string())?.into_static();
        let (mut types, mut query) = (Definitions::new(), "Query".to_owned());
        for definition in document.definitions {
            match definition {
                schema::Definition::TypeDefinition(definition) => {
                    types.insert(name_of(&definition).to_owned(), definition);
                }
                schema::Definition::SchemaDefinition(definition) => query = definition.query.unwrap_or(query),
                _ => {}
            }
        }
        Ok(Self { types, query })
    }

    /// The fields of a type that has fields.
    pub(super) fn fields(&self, name: &str) -> Option<&[schema::Field<'static, Text>]> {
        match self.types.get(name)? {
            schema::TypeDefinition::Object(object) => Some(&object.fields),
            schema::TypeDefinition::Interface(interface) => Some(&interface.fields),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&schema::TypeDefinition<'static, Text>> {
        self.types.get(name)
    }

    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// The object types that a value of this type may be of.
    fn possible(&self, name: &str) -> BTreeSet<&str> {
        match self.types.get(name) {
            Some(schema::TypeDefinition::Object(object)) => BTreeSet::from([object.name.as_str()]),
            Some(schema::TypeDefinition::Union(union)) => union.types.iter().map(String::as_str).collect(),
            Some(schema::TypeDefinition::Interface(_)) => {
                let has = |all: &[String]| all.iter().any(|one| one == name);
                self.types
                    .values()
                    .filter_map(|definition| match definition {
                        schema::TypeDefinition::Object(object) if has(&object.implements_interfaces) => {
                            Some(object.name.as_str())
                        }
                        _ => None,
                    })
                    .collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Whether values of this type have fields of their own.
    fn is_composite(&self, name: &str) -> bool {
        use schema::TypeDefinition::{Interface, Object, Union};
        matches!(self.types.get(name), Some(Object(_) | Interface(_) | Union(_)))
    }

    fn scalar(&self, name: &str) -> Option<Shape> {
        match (name, self.types.get(name)) {
            ("Int", _) => Some(Shape::Whole),
            ("Float", _) => Some(Shape::Number),
            ("Boolean", _) => Some(Shape::Truth),
            ("String" | "ID", _) | (_, Some(schema::TypeDefinition::Enum(_))) => Some(Shape::Text),
            ("JSON", _) => Some(Shape::Any),
            // The vendors' own scalars (instants, addresses, large numbers) are written as texts.
            (_, Some(schema::TypeDefinition::Scalar(_))) => Some(Shape::Text),
            _ => None,
        }
    }
}

/// The name of a definition.
pub(super) fn name_of<'s>(definition: &'s schema::TypeDefinition<'_, Text>) -> &'s str {
    use schema::TypeDefinition::{Enum, InputObject, Interface, Object, Scalar, Union};
    match definition {
        Scalar(one) => &one.name,
        Object(one) => &one.name,
        Interface(one) => &one.name,
        Union(one) => &one.name,
        Enum(one) => &one.name,
        InputObject(one) => &one.name,
    }
}

/// The named type inside lists and `!`.
pub(super) fn named<'t>(kind: &'t Type<'_, Text>) -> &'t str {
    match kind {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => named(inner),
    }
}

/// What a document answers, what it does wrong (`line:column message`), and what it uses.
pub(crate) struct Answer {
    /// The whole answer: `data` and `errors`.
    pub(crate) shape: Shape,
    /// Its object types, called after the document.
    pub(crate) types: Types,
    /// Each place that breaks the schema.
    pub(crate) problems: Vec<String>,
    /// What of the schema is used.
    pub(crate) used: Used,
}

/// Reads a document and compares it with the schema.
pub(crate) fn answer(schema: &Schema, name: &str, text: &str) -> Result<Answer> {
    let document: Document<'static, Text> =
        graphql_parser::parse_query::<Text>(text).map_err(|error| error.to_string())?.into_static();
    let mut fragments = BTreeMap::new();
    let mut query = None;
    for definition in document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.clone(), fragment);
            }
            Definition::Operation(OperationDefinition::Query(found)) => {
                query = Some((found.variable_definitions, found.selection_set))
            }
            Definition::Operation(OperationDefinition::SelectionSet(found)) => {
                query = Some((Vec::new(), found))
            }
            Definition::Operation(_) => return Err("only queries are sent".to_owned()),
        }
    }
    let (variables, selection) = query.ok_or("no query in this document")?;
    let mut reader =
        Reader { schema, fragments, variables, types: Types::new(), problems: Vec::new(), used: Used::new() };
    reader.check_variables();
    let mut data = Object::default();
    let root = format!("{name}:data");
    reader.select(schema.query(), &selection, &root, &mut data, 0);
    reader.types.insert(root.clone(), data);
    // `errors` has the form that the specification gives it (GraphQL, October 2021, section 7.1.2).
    let whole = format!("{name}:");
    let fields =
        BTreeMap::from([("data".to_owned(), Shape::Of(root)), ("errors".to_owned(), Shape::Free.list())]);
    reader.types.insert(whole.clone(), Object { fields, ..Object::default() });
    Ok(Answer { shape: Shape::Of(whole), types: reader.types, problems: reader.problems, used: reader.used })
}

/// Deeper selections are not followed; no sound document is.
const DEPTH: usize = 64;

struct Reader<'s> {
    schema: &'s Schema,
    fragments: BTreeMap<String, FragmentDefinition<'static, Text>>,
    variables: Vec<VariableDefinition<'static, Text>>,
    types: Types,
    problems: Vec<String>,
    used: Used,
}

impl Reader<'_> {
    fn problem(&mut self, at: graphql_parser::Pos, message: String) {
        self.problems.push(format!("{}:{} {message}", at.line, at.column));
    }

    fn uses(&mut self, kind: &str, member: &str) {
        self.used.entry(kind.to_owned()).or_default().insert(member.to_owned());
    }

    fn check_variables(&mut self) {
        for variable in self.variables.clone() {
            let kind = named(&variable.var_type).to_owned();
            self.used.entry(kind.clone()).or_default();
            if self.schema.scalar(&kind).is_none()
                && !matches!(self.schema.get(&kind), Some(schema::TypeDefinition::InputObject(_)))
            {
                self.problem(variable.position, format!("${}: there is no type {kind}", variable.name));
            }
        }
    }

    /// Reads what is selected on `parent` into `found`, which is called `path`.
    fn select(
        &mut self,
        parent: &str,
        set: &SelectionSet<'static, Text>,
        path: &str,
        found: &mut Object,
        depth: usize,
    ) {
        if depth > DEPTH {
            self.problem(set.span.0, format!("nested deeper than {DEPTH}"));
            return;
        }
        self.used.entry(parent.to_owned()).or_default();
        for item in &set.items {
            match item {
                Selection::Field(field) => self.field(parent, field, path, found, depth),
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition.as_ref().map_or(parent, |TypeCondition::On(name)| name);
                    self.fragment(parent, on, fragment.position, &fragment.selection_set, path, found, depth);
                }
                Selection::FragmentSpread(spread) => match self.fragments.get(&spread.fragment_name).cloned()
                {
                    Some(fragment) => {
                        let TypeCondition::On(on) = &fragment.type_condition;
                        self.fragment(
                            parent,
                            on,
                            spread.position,
                            &fragment.selection_set,
                            path,
                            found,
                            depth,
                        );
                    }
                    None => self
                        .problem(spread.position, format!("there is no fragment {}", spread.fragment_name)),
                },
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a place in a walk, taken apart")]
    fn fragment(
        &mut self,
        parent: &str,
        on: &str,
        at: graphql_parser::Pos,
        set: &SelectionSet<'static, Text>,
        path: &str,
        found: &mut Object,
        depth: usize,
    ) {
        if !self.schema.is_composite(on) {
            return self.problem(at, format!("there is no type {on} with fields"));
        }
        let shared: Vec<String> = self
            .schema
            .possible(parent)
            .intersection(&self.schema.possible(on))
            .map(|n| (*n).to_owned())
            .collect();
        if shared.is_empty() {
            return self.problem(at, format!("{parent} is never {on}"));
        }
        if parent != on {
            // A union or an interface is kept with the members that the document tells apart.
            shared.iter().for_each(|member| self.uses(parent, member));
            shared
                .iter()
                .filter(|member| *member == on)
                .for_each(|member| self.uses(member, &format!("implements {parent}")));
        }
        self.select(on, set, path, found, depth + 1);
    }

    fn field(
        &mut self,
        parent: &str,
        field: &Field<'static, Text>,
        path: &str,
        found: &mut Object,
        depth: usize,
    ) {
        let own = field.alias.as_ref().unwrap_or(&field.name);
        if field.name == "__typename" {
            found.fields.insert(own.clone(), Shape::Text);
            return;
        }
        let schema = self.schema;
        let Some(defined) =
            schema.fields(parent).and_then(|all| all.iter().find(|one| one.name == field.name))
        else {
            return self.problem(field.position, format!("{parent} has no field {}", field.name));
        };
        self.uses(parent, &field.name);
        self.arguments(parent, field, defined);
        let kind = named(&defined.field_type);
        let selected = !field.selection_set.items.is_empty();
        let shape = match (schema.scalar(kind), selected) {
            (Some(shape), false) => {
                self.used.entry(kind.to_owned()).or_default();
                shape
            }
            (Some(_), true) => {
                return self.problem(field.position, format!("{kind} has no fields to select"));
            }
            (None, false) => {
                return self
                    .problem(field.position, format!("{} needs a selection of {kind}'s fields", field.name));
            }
            (None, true) => {
                let path = format!("{path}.{own}");
                // The same field may be selected in several fragments: together they are what is answered.
                let mut inner = self.types.remove(&path).unwrap_or_default();
                self.select(kind, &field.selection_set, &path, &mut inner, depth + 1);
                self.types.insert(path.clone(), inner);
                Shape::Of(path)
            }
        };
        found.fields.insert(own.clone(), listed(&defined.field_type, shape));
    }

    fn arguments(
        &mut self,
        parent: &str,
        field: &Field<'static, Text>,
        defined: &schema::Field<'static, Text>,
    ) {
        for (name, value) in &field.arguments {
            match defined.arguments.iter().find(|argument| argument.name == *name) {
                None => {
                    self.problem(field.position, format!("{parent}.{} takes no argument {name}", field.name))
                }
                Some(argument) => {
                    self.uses(parent, &format!("{}({name}", field.name));
                    self.value(
                        value,
                        &argument.value_type,
                        field.position,
                        &format!("{}({name})", field.name),
                    );
                }
            }
        }
        for argument in &defined.arguments {
            let needed =
                matches!(argument.value_type, Type::NonNullType(_)) && argument.default_value.is_none();
            if needed && !field.arguments.iter().any(|(name, _)| *name == argument.name) {
                self.problem(
                    field.position,
                    format!("{parent}.{} needs the argument {}", field.name, argument.name),
                );
            }
        }
    }

    /// Compares a value in the document with the type it must have.
    fn value(
        &mut self,
        value: &Value<'static, Text>,
        kind: &Type<'static, Text>,
        at: graphql_parser::Pos,
        place: &str,
    ) {
        let name = named(kind).to_owned();
        self.used.entry(name.clone()).or_default();
        let wrong = |reader: &mut Self| reader.problem(at, format!("{place}: {value} is not of type {kind}"));
        match (value, kind) {
            (Value::Variable(variable), _) => match self.variables.iter().find(|one| one.name == *variable) {
                None => self.problem(at, format!("{place}: ${variable} is not declared")),
                Some(declared) if fits(&declared.var_type, declared.default_value.is_some(), kind) => {}
                Some(declared) => {
                    let message =
                        format!("{place}: ${variable} is of type {}, not {kind}", declared.var_type);
                    self.problem(at, message);
                }
            },
            (Value::Null, Type::NonNullType(_)) => wrong(self),
            (Value::Null, _) => {}
            (_, Type::NonNullType(inner)) => self.value(value, inner, at, place),
            (Value::List(items), Type::ListType(inner)) => {
                items.iter().for_each(|item| self.value(item, inner, at, place))
            }
            (Value::List(_), _) => wrong(self),
            // A single value stands for a list of it.
            (_, Type::ListType(inner)) => self.value(value, inner, at, place),
            (Value::Object(members), Type::NamedType(_)) => self.object(members, &name, at, place),
            (Value::Enum(word), Type::NamedType(_)) => match self.schema.get(&name) {
                Some(schema::TypeDefinition::Enum(all)) if all.values.iter().any(|one| one.name == *word) => {
                    self.uses(&name, word)
                }
                _ => wrong(self),
            },
            (_, Type::NamedType(_)) => {
                let fits = match value {
                    Value::Int(_) => {
                        matches!(name.as_str(), "Int" | "Float" | "ID") || self.own_scalar(&name)
                    }
                    Value::Float(_) => name == "Float" || self.own_scalar(&name),
                    Value::Boolean(_) => name == "Boolean" || self.own_scalar(&name),
                    Value::String(_) => matches!(name.as_str(), "String" | "ID") || self.own_scalar(&name),
                    _ => false,
                };
                if !fits {
                    wrong(self);
                }
            }
        }
    }

    /// Whether a type is a scalar of the vendor's own, whose literals the schema does not tell.
    fn own_scalar(&self, name: &str) -> bool {
        matches!(self.schema.get(name), Some(schema::TypeDefinition::Scalar(_)))
    }

    fn object(
        &mut self,
        members: &BTreeMap<Text, Value<'static, Text>>,
        name: &str,
        at: graphql_parser::Pos,
        place: &str,
    ) {
        let schema = self.schema;
        let Some(schema::TypeDefinition::InputObject(defined)) = schema.get(name) else {
            return self.problem(at, format!("{place}: {name} takes no object"));
        };
        for (member, value) in members {
            match defined.fields.iter().find(|field| field.name == *member) {
                None => self.problem(at, format!("{place}: {name} has no {member}")),
                Some(field) => {
                    self.uses(name, member);
                    self.value(value, &field.value_type, at, &format!("{place}.{member}"));
                }
            }
        }
        for field in &defined.fields {
            let needed = matches!(field.value_type, Type::NonNullType(_)) && field.default_value.is_none();
            if needed && !members.contains_key(&field.name) {
                self.problem(at, format!("{place}: {name} needs {}", field.name));
            }
        }
    }
}

/// Whether a variable of this type may stand where that type is expected (GraphQL section 5.8.5).
fn fits(have: &Type<'_, Text>, has_default: bool, want: &Type<'_, Text>) -> bool {
    match (have, want) {
        (Type::NonNullType(have), Type::NonNullType(want)) => fits(have, false, want),
        (have, Type::NonNullType(want)) => has_default && fits(have, false, want),
        (Type::NonNullType(have), want) => fits(have, false, want),
        (Type::ListType(have), Type::ListType(want)) => fits(have, false, want),
        (Type::NamedType(have), Type::NamedType(want)) => have == want,
        _ => false,
    }
}

/// A named type's shape with the lists around it.
fn listed(kind: &Type<'_, Text>, shape: Shape) -> Shape {
    match kind {
        Type::NamedType(_) => shape,
        Type::NonNullType(inner) => listed(inner, shape),
        Type::ListType(inner) => listed(inner, shape).list(),
    }
}
