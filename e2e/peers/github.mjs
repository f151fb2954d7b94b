// A GitHub written by somebody else (npm package `emulate`): App keys are verified, REST only, no GraphQL.
//
// The seed file names users, organisations and repositories; `then` lists requests made after the start, because the
// emulator's own seed has no webhooks, branch protection or secrets.
//
// One gap is bridged in front of it: the emulator looks an installation token up as a user named like the organisation,
// finds none and answers 401 on webhooks and secrets, where GitHub answers an App that holds the permission. Requests to
// `BRIDGED` paths with an installation token therefore travel with the owner's token. `emulator_url` is the address
// without the bridge.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEmulator } from 'emulate';
import { announce, fail, freePort, options } from './common.mjs';

const BRIDGED = /^\/(orgs\/[^/]+|repos\/[^/]+\/[^/]+)\/(hooks|actions\/secrets)(\?|$)/;

const here = dirname(fileURLToPath(import.meta.url));
const { port, seed: seedPath } = options({ port: '0', seed: join(here, 'github.seed.json') });
const seed = JSON.parse(readFileSync(seedPath, 'utf8'));

// What the App may read; write is never asked for.
const permissions = {
  members: 'read', administration: 'read', organization_administration: 'read', metadata: 'read',
  organization_hooks: 'read', repository_hooks: 'read', actions: 'read', secrets: 'read',
};
const { app, tokens } = seed;
const tokenOf = (login) => Object.keys(tokens).find((token) => tokens[token] === login) ?? fail(`no token for ${login}`);
const ownerToken = tokenOf(seed.orgs[0].members.find((member) => member.role === 'admin').login);
const install = (installation) => ({ ...installation, repository_selection: 'all', permissions });

const chosen = port === '0' ? await freePort() : Number(port);
const url = `http://127.0.0.1:${chosen}`;
const emulatorPort = await freePort();
const emulator = await createEmulator({
  service: 'github',
  port: emulatorPort,
  baseUrl: url, // addresses in answers keep the origin that the client was given
  seed: {
    tokens: Object.fromEntries(
      Object.entries(tokens).map(([token, login]) => [token, { login, scopes: ['repo', 'read:org', 'admin:org', 'admin:org_hook'] }]),
    ),
    github: {
      users: seed.users,
      orgs: seed.orgs,
      repos: seed.repos,
      apps: [{
        app_id: app.app_id, slug: app.slug, name: app.name, permissions,
        installations: app.installations.map(install),
      }],
    },
  },
});
const upstream = `http://127.0.0.1:${emulatorPort}`;

for (const step of seed.then) {
  const answer = await fetch(upstream + step.path, {
    method: step.method,
    headers: { authorization: `token ${tokenOf(step.as)}`, 'content-type': 'application/json' },
    body: JSON.stringify(step.body),
  });
  if (!answer.ok) fail(`seed step ${step.method} ${step.path} answered ${answer.status}: ${await answer.text()}`);
}

const bridge = createServer((incoming, outgoing) => {
  const headers = { ...incoming.headers };
  if (/^(bearer|token) ghs_/i.test(headers.authorization ?? '') && BRIDGED.test(incoming.url)) {
    headers.authorization = `token ${ownerToken}`;
  }
  const onward = request(upstream + incoming.url, { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', (error) => outgoing.destroy(error));
  incoming.pipe(onward);
});
bridge.listen(chosen, '127.0.0.1', () => {
  announce({
    url,
    emulator_url: upstream,
    org: seed.orgs[0].login,
    app_id: app.app_id,
    installations: Object.fromEntries(app.installations.map((i) => [i.account, i.installation_id])),
    private_key: emulator.generatedSecrets.find((s) => s.kind === 'github.app_private_key').value,
    tokens,
  });
});
