// Every GraphQL document of the catalogue is valid by the vendor's whole schema, as the reference implementation of GraphQL
// judges it, and by the part of that schema that `cargo xtask contract` cut out and proves with. Everything else that a
// manifest asks is proven by that command, without npm.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import * as graphql from './contract/graphql.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const apps = join(here, '..', 'catalog', 'apps');

/** The applications with GraphQL documents, and the vendor's whole schema. */
const SCHEMAS = { github: join(here, 'node_modules', '@octokit', 'graphql-schema', 'schema.graphql') };

const documentsOf = (app) => readdirSync(join(apps, app)).filter((name) => name.endsWith('.graphql'));

test('every application with GraphQL documents has a schema here', () => {
  const asking = readdirSync(apps).filter((app) => existsSync(join(apps, app, 'app.toml')) && documentsOf(app).length > 0);
  assert.deepEqual(asking, Object.keys(SCHEMAS));
});

for (const [app, whole] of Object.entries(SCHEMAS)) {
  for (const [kind, path] of [['whole', whole], ['cut', join(apps, app, 'contract', 'schema.graphql')]]) {
    test(`${app}: every GraphQL document is valid by the ${kind} schema`, () => {
      const schema = graphql.schemaOf(readFileSync(path, 'utf8'));
      const problems = documentsOf(app).flatMap((name) =>
        graphql.violations(schema, readFileSync(join(apps, app, name), 'utf8')).map((message) => `${name}: ${message}`));
      assert.deepEqual(problems, []);
    });
  }
}
