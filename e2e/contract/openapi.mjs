// Following a record's paths through an OpenAPI 3.0 description.
import { shape } from './manifest.mjs';

export function operation(description, method, path) {
  const template = Object.keys(description.paths).find((candidate) => shape(candidate) === shape(path));
  return description.paths[template]?.[method.toLowerCase()];
}

export function parameterNames(description, { parameters = [] }) {
  return parameters.map((parameter) => (parameter.$ref ? resolve(description, parameter) : parameter).name);
}

function resolve(description, node) {
  return node.$ref ? node.$ref.split('/').slice(1).reduce((at, key) => at[key], description) : node;
}

/** The alternatives that a schema may stand for, references and unions unfolded. */
function unfold(description, schema) {
  const node = resolve(description, schema);
  const parts = [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  return [node, ...parts.flatMap((part) => unfold(description, part))];
}

const anything = { anything: true };

function step(description, schemas, key) {
  return schemas.flatMap((schema) => unfold(description, schema)).flatMap((node) => {
    if (node.anything) return [node];
    if (key === '*' || /^\d+$/.test(key)) return node.items ? [node.items] : [];
    if (node.properties?.[key]) return [node.properties[key]];
    if (node.additionalProperties) return [node.additionalProperties === true ? anything : node.additionalProperties];
    return [];
  });
}

function walk(description, schemas, path) {
  return path.split('.').filter(Boolean).reduce((at, key) => step(description, at, key), schemas);
}

/** A list of records stands for its records. */
function each(description, schemas) {
  const items = schemas.flatMap((schema) => unfold(description, schema)).map((node) => node.items).filter(Boolean);
  return items.length ? items : schemas;
}

/** What a successful answer of an operation holds per record. */
export function recordSchemas(description, { responses }, records) {
  const bodies = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, answer]) => Object.values(answer.content ?? {})[0]?.schema)
    .filter(Boolean);
  return each(description, walk(description, bodies, records));
}

/** The JSON types that `path` may have in a record; empty when it is not described. */
export function typesAt(description, schemas, path) {
  const types = walk(description, schemas, path)
    .flatMap((schema) => unfold(description, schema))
    .map((node) => (node.anything ? 'any' : node.type ?? (node.properties ? 'object' : node.enum ? 'string' : undefined)));
  return types.length ? types.map((type) => type ?? 'any') : [];
}
