// A scan of a real Canaille over SCIM, changed by its own command while it runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startPeer } from './lib/peer.mjs';
import { refusedScan, scan } from './lib/scan.mjs';

const seed = JSON.parse(readFileSync(new URL('./peers/canaille.seed.json', import.meta.url), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'parapet-canaille-'));
let canaille;
before(async () => { canaille = await startPeer('canaille', '--dir', folder); });
after(async () => {
  await canaille?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = promisify(execFile);
const admin = (...args) => run(canaille.admin, args, { env: { ...process.env, CANAILLE_CONFIG: canaille.config } });
const read = (secret = canaille.client_secret) =>
  scan('scim', ['--set', `address=${canaille.url}`, '--address', canaille.url], { client_id: canaille.client_id, client_secret: secret });
const accounts = ({ report }) => report.scans.find(({ kind }) => kind === 'accounts').accounts;
const states = (ran) => Object.fromEntries(accounts(ran).records.map(({ username, state }) => [username, state]));

test('accounts and their state are those of the server', async () => {
  const ran = await read();
  assert.equal(accounts(ran).complete, true);
  assert.deepEqual(states(ran), Object.fromEntries(seed.users.map((user) => [user.user_name, user.lock_date ? 'suspended' : 'active'])));
});

test('a change on the server is in the next scan', async () => {
  await admin('create', 'user', '--user-name', 'edsger', '--family-name', 'Dijkstra', '--emails', 'edsger@example.org');
  await admin('set', 'user', 'grace', '--lock-date', '2020-01-01T00:00:00+00:00');
  await admin('delete', 'user', '--noconfirm', '--user-name', 'alan');
  assert.deepEqual(states(await read()), { ada: 'active', edsger: 'active', grace: 'suspended' });
});

const failing = (secret = canaille.client_secret) =>
  refusedScan('scim', ['--set', `address=${canaille.url}`, '--address', canaille.url], { client_id: canaille.client_id, client_secret: secret });

test('a changed secret is a matter of credentials, and the new one works at once', async () => {
  await admin('set', 'client', canaille.client_id, '--client-secret', 'rotated');
  const refused = await failing();
  assert.equal(refused.code, 3, refused.said);
  assert.match(refused.said, /credential/i);
  assert.ok(!refused.said.includes(canaille.client_secret), 'the old secret is printed');
  assert.equal(accounts(await read('rotated')).complete, true);
});

test('a deleted client is a matter of credentials', async () => {
  await admin('delete', 'client', '--noconfirm', '--client-id', canaille.client_id);
  const refused = await failing('rotated');
  assert.equal(refused.code, 3, refused.said);
  assert.match(refused.said, /credential/i);
});

test('a server that is gone is unreachable, and back again it is read', async () => {
  const port = new URL(canaille.url).port;
  await admin('create', 'client', '--client-id', canaille.client_id, '--client-secret', canaille.client_secret, '--client-name', 'Parapet',
    '--grant-types', 'client_credentials', '--token-endpoint-auth-method', 'client_secret_basic', '--scope', 'openid', '--redirect-uris', 'http://127.0.0.1/x');
  await canaille.stop();
  const refused = await failing();
  assert.equal(refused.code, 3, refused.said);
  assert.match(refused.said, /unreachable|refused the connection|no answer|connect/i);
  canaille = await startPeer('canaille', '--dir', folder, '--port', port);
  assert.equal(accounts(await read()).complete, true);
});
