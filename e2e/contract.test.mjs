// What every manifest asks of its vendor exists in the vendor's own description: each request, each query parameter, each
// field that is read, and each GraphQL document as a whole. No network: the descriptions are in contract/ and npm.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import * as graphql from './contract/graphql.mjs';
import { requestsOf } from './contract/manifest.mjs';
import * as openapi from './contract/openapi.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const manifests = process.env.PARAPET_TEST_MANIFESTS;
assert.ok(manifests, 'run this through `cargo xtask browser contract.test.mjs`: it writes the manifests as JSON');

/** The applications whose vendor publishes a description, and what is known to be newer than it: field to vendor page. */
const VENDORS = {
  github: {
    rest: join(here, 'contract', 'github.rest.json'),
    graphql: join(here, 'node_modules', '@octokit', 'graphql-schema', 'schema.graphql'),
    byPage: JSON.parse(readFileSync(join(here, 'contract', 'github.by_page.json'), 'utf8')),
  },
};

/** Which JSON types a field of a type may be read from. */
const READS = {
  string: ['string', 'integer', 'number', 'boolean'], bool: ['boolean', 'string'], int: ['integer', 'number', 'string'],
  float: ['number', 'integer'], timestamp: ['string', 'integer'], object: ['object'],
};
const fits = (type, found) => type === undefined || found.includes('any') || found.some((json) =>
  (type.startsWith('list') ? json === 'array' : (READS[type] ?? [json]).includes(json)));

for (const [app, { rest, graphql: schemaPath, byPage }] of Object.entries(VENDORS)) {
  const folder = join(here, '..', 'catalog', 'apps', app);
  const manifest = JSON.parse(readFileSync(join(manifests, `${app}.json`), 'utf8'));
  const requests = requestsOf(manifest);
  const description = JSON.parse(readFileSync(rest, 'utf8'));
  const schema = graphql.schemaOf(readFileSync(schemaPath, 'utf8'));
  const document = (name) => readFileSync(join(folder, name), 'utf8');

  test(`${app}: every REST request and parameter is described`, () => {
    const asked = requests.filter((request) => !request.graphql);
    assert.ok(asked.length > 0, 'no request was found in the manifest');
    const problems = asked.flatMap(({ dataset, method, path, query }) => {
      const operation = openapi.operation(description, method, path);
      if (!operation) return [`${dataset}: ${method} ${path} is not described (new path? run \`cargo xtask contract ${app}\`)`];
      const known = openapi.parameterNames(description, operation);
      return Object.keys(query).filter((name) => !known.includes(name))
        .map((name) => `${dataset}: ${method} ${path} takes no parameter ${name}`);
    });
    assert.deepEqual(problems, []);
  });

  test(`${app}: every GraphQL document is valid`, () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.graphql'));
    assert.ok(names.length > 0, 'no document was found');
    const problems = names.flatMap((name) => graphql.violations(schema, document(name)).map((message) => `${name}: ${message}`));
    assert.deepEqual(problems, []);
  });

  test(`${app}: every field that is read is in a documented answer`, () => {
    const problems = [];
    const pages = new Set(Object.keys(byPage));
    for (const dataset of new Set(requests.filter((request) => request.fields.length).map((request) => request.dataset))) {
      const found = {};
      for (const request of requests.filter((request) => request.dataset === dataset)) {
        let typesAt;
        if (request.graphql) {
          const records = graphql.recordNodes(schema, document(request.graphql), request.records);
          typesAt = (path) => graphql.typesAt(records, path);
        } else {
          const operation = openapi.operation(description, request.method, request.path);
          const schemas = operation ? openapi.recordSchemas(description, operation, request.records) : [];
          typesAt = (path) => openapi.typesAt(description, schemas, path);
        }
        for (const field of request.fields) {
          found[field.name] ??= { paths: [], types: [] };
          found[field.name].paths.push(field.at);
          const types = typesAt(field.at);
          if (field.here && !types.length) problems.push(`${dataset}.${field.name}: ${request.graphql ?? request.path} has no ${field.at}`);
          found[field.name].types.push(...types);
          found[field.name].type = field.type;
        }
      }
      for (const [name, { paths, types, type }] of Object.entries(found)) {
        if (pages.delete(`${dataset}.${name}`)) continue;
        if (!types.length) problems.push(`${dataset}.${name}: no answer has ${[...new Set(paths)].join(' or ')}`);
        else if (!fits(type, types)) problems.push(`${dataset}.${name}: declared ${type}, documented ${[...new Set(types)].join(', ')}`);
      }
    }
    for (const stale of pages) problems.push(`${stale}: listed in ${app}.by_page.json but not read`);
    assert.deepEqual(problems, []);
  });
}
