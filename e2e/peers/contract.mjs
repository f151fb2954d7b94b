// Compares what Parapet sends with the vendor's own descriptions, standing between Parapet and a simulator:
// REST requests by Prism (npm `@stoplight/prism-cli`) against the facts in the catalogue, GraphQL documents by graphql-js against
// GitHub's schema. Parapet talks to `url`; what was found is read from `report_url` as JSON:
//   { "requests": [{ "method", "path", "status", "request_violations": [{ "at", "message" }] }] }
// Answers are not judged: they would say something about the simulator, not about Parapet.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { openapiOf } from '../contract/openapi.mjs';
import { announce, fail, freePort, options } from './common.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const { port, spec, upstream } = options({
  port: '0', upstream: undefined, spec: join(here, '..', '..', 'catalog', 'apps', 'github', 'contract', 'facts.json'),
});
const description = openapiOf(JSON.parse(readFileSync(spec, 'utf8')));
const schemaPath = join(here, '..', 'node_modules', '@octokit', 'graphql-schema', 'schema.graphql');
let schema;

// Prism reports violations in one header that it cuts when it grows long. The description holds no answers, so that only
// requests are in it.
const folder = mkdtempSync(join(tmpdir(), 'parapet-contract-'));
const requestsOnly = join(folder, 'requests.json');
writeFileSync(requestsOnly, JSON.stringify(description));

const prismPort = await freePort();
const cli = join(dirname(require.resolve('@stoplight/prism-cli/package.json')), 'dist', 'index.js');
const prism = spawn(process.execPath, [cli, 'proxy', '--host', '127.0.0.1', '--port', String(prismPort), requestsOnly, upstream], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
let output = '';
for (const stream of [prism.stdout, prism.stderr]) {
  stream.on('data', (chunk) => { output = (output + chunk).slice(-20000); });
}
process.on('exit', () => {
  prism.kill();
  rmSync(folder, { recursive: true, force: true });
});
prism.on('exit', (code) => fail(`prism ended with ${code}\n${output}`));

/** Prism passes unknown query parameters silently; a misspelt filter would be ignored by the vendor just as silently. */
function unknownParameters(method, path) {
  const { pathname, searchParams } = new URL(path, 'http://x');
  const template = Object.keys(description.paths).find((candidate) =>
    new RegExp(`^${candidate.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(pathname) && description.paths[candidate][method.toLowerCase()]);
  if (!template) return [];
  const known = (description.paths[template][method.toLowerCase()].parameters ?? [])
    .map((parameter) => parameter.name);
  return [...searchParams.keys()].filter((name) => !known.includes(name))
    .map((name) => ({ at: ['query', name], message: `query parameter ${name} is not in the description of ${method} ${template}` }));
}

function graphqlViolations(body) {
  try {
    // GitHub's published file defines two fields twice, so its own validity is not judged here.
    schema ??= buildSchema(readFileSync(schemaPath, 'utf8'), { assumeValidSDL: true });
    return validate(schema, parse(JSON.parse(body).query)).map((error) => ({ at: ['graphql'], message: error.message }));
  } catch (error) {
    return [{ at: ['graphql'], message: String(error.message) }];
  }
}

/** What Prism found, which it writes as JSON unless there is too much of it. */
function prismViolations(header) {
  if (!header) return [];
  try {
    return JSON.parse(header).map(({ location, message }) => ({ at: location.slice(1), message }));
  } catch {
    return [{ at: [], message: header }];
  }
}

const requests = [];
const origin = new URL(upstream).origin;
const front = createServer(async (incoming, outgoing) => {
  const graphql = incoming.url.endsWith('/graphql');
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const target = graphql ? new URL(upstream) : { hostname: '127.0.0.1', port: prismPort };
  const onward = request(
    { host: target.hostname, port: target.port, method: incoming.method, path: incoming.url, headers: incoming.headers },
    (answer) => {
      const { 'sl-violations': found, ...headers } = answer.headers;
      const more = graphql ? graphqlViolations(body.toString()) : unknownParameters(incoming.method, incoming.url);
      requests.push({
        method: incoming.method, path: incoming.url, status: answer.statusCode,
        request_violations: [...prismViolations(found), ...more],
      });
      // Next-page links must keep the origin that the client was given.
      if (headers.link) headers.link = headers.link.replaceAll(origin, `http://${incoming.headers.host}`);
      outgoing.writeHead(answer.statusCode, headers);
      answer.pipe(outgoing);
    },
  );
  onward.on('error', (error) => outgoing.destroy(error));
  onward.end(body);
});
const report = createServer((_, answer) => {
  answer.writeHead(200, { 'content-type': 'application/json' });
  answer.end(JSON.stringify({ requests }));
});

const listen = (server, wanted) => new Promise((resolve) => {
  server.listen(wanted, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
});
while (!/Prism is listening/.test(output)) await new Promise((resolve) => setTimeout(resolve, 20));
announce({ url: await listen(front, Number(port)), report_url: await listen(report, 0), spec, upstream });
