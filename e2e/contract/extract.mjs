// Takes the requests of a manifest out of a vendor's OpenAPI 3.0 description: method, path, parameters, answers with field
// names and types. Prose, examples and everything unreachable is left out. `cargo xtask contract github` calls it.
//
//   node extract.mjs DESCRIPTION.json MANIFEST.json SOURCE > github.rest.json
import { readFileSync } from 'node:fs';
import { requestsOf, shape } from './manifest.mjs';

const [descriptionPath, manifestPath, source] = process.argv.slice(2);
const description = JSON.parse(readFileSync(descriptionPath, 'utf8'));
const wanted = requestsOf(JSON.parse(readFileSync(manifestPath, 'utf8'))).filter((request) => !request.graphql);

const PROSE = new Set(['description', 'summary', 'title', 'externalDocs', 'example', 'examples', 'tags', 'deprecated', 'links', 'callbacks']);
/** Copies `node` without prose; inside `properties` the same words are field names and stay. */
function bare(node, fields = false) {
  if (Array.isArray(node)) return node.map((item) => bare(item));
  if (node === null || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (!fields && (PROSE.has(key) || key.startsWith('x-'))) continue;
    out[key] = bare(value, !fields && (key === 'properties' || key === 'responses' || key === 'schemas'));
  }
  return out;
}

const missing = [];
const paths = {};
for (const { method, path: asked } of wanted) {
  const path = Object.keys(description.paths).find((candidate) => shape(candidate) === shape(asked));
  const operation = description.paths[path]?.[method.toLowerCase()];
  if (!operation) { missing.push(`${method} ${asked}`); continue; }
  const { operationId, parameters, requestBody, responses } = operation;
  const answers = Object.fromEntries(Object.entries(responses).map(([status, answer]) =>
    [status, status.startsWith('2') && !answer.$ref ? { description: '', content: answer.content } : { description: '' }]));
  paths[path] ??= {};
  paths[path][method.toLowerCase()] = bare({ operationId, parameters, requestBody, responses: answers });
  for (const answer of Object.values(paths[path][method.toLowerCase()].responses)) answer.description = '';
}
if (missing.length) {
  process.stderr.write(`not in ${source}: ${missing.join(', ')}\n`);
  process.exit(1);
}

// Everything the kept operations refer to, and what that refers to.
const components = {};
const queue = [paths];
while (queue.length) {
  const node = queue.pop();
  if (Array.isArray(node)) queue.push(...node);
  else if (node && typeof node === 'object') {
    if (typeof node.$ref === 'string') {
      const [, , kind, name] = node.$ref.split('/');
      if (!components[kind]?.[name]) {
        (components[kind] ??= {})[name] = bare(description.components[kind][name]);
        queue.push(components[kind][name]);
      }
    }
    queue.push(...Object.values(node));
  }
}
const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
const out = {
  openapi: description.openapi,
  info: { title: `Extract of ${source}`, version: String(description.info.version), license: description.info.license },
  servers: description.servers,
  paths: sorted(paths),
  components: Object.fromEntries(Object.entries(sorted(components)).map(([kind, all]) => [kind, sorted(all)])),
};
// One line for each path and component: a regeneration shows as a readable difference.
const lines = (object, indent) => Object.entries(object).map(([key, value]) => `${indent}${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',\n');
process.stdout.write(`{
"openapi": ${JSON.stringify(out.openapi)},
"info": ${JSON.stringify(out.info)},
"servers": ${JSON.stringify(out.servers)},
"paths": {
${lines(out.paths, '  ')}
},
"components": {
${Object.entries(out.components).map(([kind, all]) => `"${kind}": {\n${lines(all, '  ')}\n}`).join(',\n')}
}
}
`);
