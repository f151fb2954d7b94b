// Following a record's paths through a GraphQL document: by response names (aliases) to the schema's types.
import {
  buildSchema, getNamedType, getNullableType, isCompositeType, isLeafType, isListType, Kind, parse, typeFromAST, validate,
} from 'graphql';

export function schemaOf(text) {
  // GitHub's published file defines two fields twice, so its own validity is not judged here.
  return buildSchema(text, { assumeValidSDL: true });
}

export function violations(schema, document) {
  try {
    return validate(schema, parse(document)).map((error) => error.message);
  } catch (error) {
    return [error.message];
  }
}

/** Every field under a selection, fragments unfolded, with the type it is selected on. */
function selected(context, type, selectionSet) {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [{ type, selection }];
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? context.fragments[selection.name.value] : selection;
    const on = fragment.typeCondition ? typeFromAST(context.schema, fragment.typeCondition) : type;
    return selected(context, on, fragment.selectionSet);
  });
}

function step(context, nodes, key) {
  return nodes.flatMap(({ type, selectionSet }) => {
    const nullable = getNullableType(type);
    if (isListType(nullable)) return key === '*' || /^\d+$/.test(key) ? [{ type: nullable.ofType, selectionSet }] : [];
    if (isLeafType(nullable)) return nullable.name === 'JSON' ? [{ type: nullable }] : [];
    return selected(context, nullable, selectionSet)
      .filter(({ selection }) => (selection.alias ?? selection.name).value === key)
      .map(({ type: parent, selection }) => ({
        type: selection.name.value === '__typename' ? context.schema.getType('String') : parent.getFields()[selection.name.value].type,
        selectionSet: selection.selectionSet,
      }));
  });
}

function walk(context, nodes, path) {
  return path.split('.').filter(Boolean).reduce((at, key) => step(context, at, key), nodes);
}

/** What a document's answer holds per record, `records` being a path like `data.organization.members.nodes`. */
export function recordNodes(schema, document, records) {
  const { definitions } = parse(document);
  const query = definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const fragments = Object.fromEntries(
    definitions.filter((d) => d.kind === Kind.FRAGMENT_DEFINITION).map((fragment) => [fragment.name.value, fragment]),
  );
  const context = { schema, fragments };
  const root = [{ type: schema.getQueryType(), selectionSet: query.selectionSet }];
  const nodes = walk(context, root, records.replace(/^data\.?/, ''));
  const unlisted = nodes.map((node) => {
    const nullable = getNullableType(node.type);
    return isListType(nullable) ? { ...node, type: nullable.ofType } : node;
  });
  return { context, nodes: unlisted };
}

const JSON_TYPES = { Int: 'integer', Float: 'number', Boolean: 'boolean', BigInt: 'string', JSON: 'any' };

/** The JSON types that `path` may have in a record; empty when the document does not ask for it. */
export function typesAt({ context, nodes }, path) {
  return walk(context, nodes, path).map(({ type }) => {
    if (isListType(getNullableType(type))) return 'array';
    const named = getNamedType(type);
    return isCompositeType(named) ? 'object' : JSON_TYPES[named.name] ?? 'string';
  });
}
