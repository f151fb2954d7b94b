// A real Glewlwyd: what the scans say of it is what it holds, changes with it, and what goes wrong is told by its right cause.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { assertQuiet, launch, open } from './lib/browser.mjs';
import { signedIn, startDoor } from './lib/glewlwyd.mjs';
import { startPeer } from './lib/peer.mjs';
import { refusedScan, scan } from './lib/scan.mjs';
import { setUp, startServer } from './lib/serve.mjs';

const seed = JSON.parse(readFileSync(new URL('./peers/glewlwyd.seed.json', import.meta.url), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'parapet-glewlwyd-'));
let glewlwyd;
let admin;
before(async () => {
  glewlwyd = await startPeer('glewlwyd', '--dir', folder);
  admin = await signedIn(glewlwyd.url, seed.admin);
});
after(async () => {
  await glewlwyd?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const service = { username: seed.service.username, password: seed.service.password };
const args = (...more) => ['--set', `address=${glewlwyd.url}`, '--address', glewlwyd.url, ...more];
const read = (credential = service, ...more) => scan('glewlwyd', args(...more), credential);
const part = (ran, kind) => ran.report.scans.find((one) => one.kind === kind);
const outcomes = (ran, kind, check, wanted) => part(ran, kind).results
  .filter((result) => result.check === check && result.outcome === wanted).map(({ resource }) => resource).sort();
const fails = (ran, kind, check) => outcomes(ran, kind, check, 'fail');
const accounts = (ran) => Object.fromEntries(part(ran, 'accounts').accounts.records.map((account) => [account.username, account]));
const plugins = (ran) => Object.fromEntries(part(ran, 'plugins').plugins.records.map((plugin) => [plugin.name, plugin]));
const unknown = { $unknown: true };

/** The scope as it is now, with changes. */
async function changeScope(name, changes) {
  await admin('PUT', `scope/${name}`, { ...await admin('GET', `scope/${name}`), ...changes });
}
const SECOND = { scheme: { second: [{ scheme_type: 'otp', scheme_name: 'totp' }] }, scheme_required: { second: 1 } };

test('accounts, clients, factors and settings are those of the server', async () => {
  const ran = await read();
  for (const one of ran.report.scans) assert.equal(one.outcome, 'succeeded', `${one.kind}: ${one.detail}`);
  assert.equal(ran.report.subject, service.username);
  assert.equal(ran.report.tenant_uid, glewlwyd.url);

  const found = accounts(ran);
  assert.equal(part(ran, 'accounts').accounts.complete, true);
  assert.deepEqual(Object.keys(found).sort(), ['admin', service.username, ...seed.users.map(({ username }) => username)].sort());
  for (const { username, name, email, enabled } of seed.users) {
    const { display_name, state, kind, privileged } = found[username];
    assert.deepEqual([display_name, found[username].email, state, kind, privileged], [name, email, enabled ? 'active' : 'suspended', 'human', false], username);
  }
  assert.deepEqual([found[service.username].kind, found[service.username].privileged, found[service.username].owner], ['service', true, seed.service.email]);
  // Ada's one scope demands a code or a key; Grace has others that a password opens, and retyping it is no second factor.
  assert.deepEqual([found.ada.second_factor, found.grace.second_factor], [true, false]);
  assert.deepEqual(fails(ran, 'accounts', 'shared/account-second-factor'), ['admin', 'grace']);
  assert.deepEqual(fails(ran, 'accounts', 'shared/account-privileged-second-factor'), ['admin']);
  // Grace signed in to consent; nobody else of them ever did.
  assert.ok(Date.now() - Date.parse(found.grace.last_active_at) < 3_600_000, `Grace was last seen ${found.grace.last_active_at}`);
  assert.equal(found.ada.last_active_at, null);

  const held = plugins(ran);
  assert.deepEqual(Object.keys(held).sort(), ['Phone book', 'Wiki']);
  assert.deepEqual([held.Wiki.scopes, held.Wiki.users, held.Wiki.active], [['wiki'], ['grace'], true]);
  assert.deepEqual(held['Phone book'].users, []);

  assert.deepEqual(fails(ran, 'config', 'glewlwyd/admin-scope-second-factor'), ['g_admin']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/scopes-second-factor'), ['g_profile', 'openid', 'wiki']);
  assert.deepEqual(outcomes(ran, 'config', 'glewlwyd/scopes-second-factor', 'pass'), ['payroll']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/no-password-grant'), ['oidc']);
  assert.deepEqual(outcomes(ran, 'config', 'glewlwyd/pkce-required', 'pass'), ['oidc']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/tokens-signed-with-key-pair'), ['oidc']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/self-registration-off'), ['join']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/client-redirects-encrypted'), ['phone']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/clients-no-implicit-flow'), ['phone']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/mailed-codes-are-hard'), ['mail']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/shipped-account-off'), ['admin']);
});

test('nothing secret of the answers is in what was found', async () => {
  const said = JSON.stringify((await read()).report);
  const oidc = seed.plugins.find(({ module }) => module === 'oidc').parameters.key;
  for (const secret of [service.password, oidc, seed.clients[0].client_secret]) {
    assert.ok(!said.includes(secret), 'a secret is in the report');
  }
});

test('a change on the server is in the next scan', async () => {
  for (const scope of ['wiki', 'g_profile']) await changeScope(scope, SECOND);
  await admin('PUT', 'user/ada', { ...await admin('GET', 'user/ada'), enabled: false });
  await admin('DELETE', 'user/alan');
  await admin('POST', 'user/', { username: 'edsger', name: 'Edsger', email: 'edsger@example.org', scope: ['openid', 'g_admin'], enabled: true });
  await admin('DELETE', 'client/phone');
  await admin('POST', 'client/', { client_id: 'robot', name: 'Robot', description: 'Runs by itself', confidential: true, enabled: true, password: 'robot-secret',
    scope: ['payroll'], authorization_type: ['client_credentials'], redirect_uri: ['https://robot.example.org/'] });
  const oidc = await admin('GET', 'mod/plugin/oidc');
  await admin('PUT', 'mod/plugin/oidc', { ...oidc, parameters: { ...oidc.parameters, 'auth-type-password-enabled': false, 'pkce-required-public-client': false } });

  const ran = await read();
  const found = accounts(ran);
  assert.deepEqual(Object.keys(found).sort(), ['ada', 'admin', 'edsger', 'grace', service.username]);
  assert.equal(found.ada.state, 'suspended');
  assert.equal(found.grace.second_factor, true);
  assert.deepEqual(fails(ran, 'accounts', 'shared/account-second-factor'), ['admin', 'edsger']);
  assert.deepEqual(fails(ran, 'accounts', 'shared/account-privileged-second-factor'), ['admin', 'edsger']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/scopes-second-factor'), ['openid']);
  assert.deepEqual(outcomes(ran, 'config', 'glewlwyd/no-password-grant', 'pass'), ['oidc']);
  assert.deepEqual(fails(ran, 'config', 'glewlwyd/pkce-required'), ['oidc']);
  const held = plugins(ran);
  assert.deepEqual(Object.keys(held).sort(), ['Robot', 'Wiki']);
  assert.deepEqual([held.Robot.scopes, held.Robot.level, held.Robot.reach], [['payroll'], 'organisation', 'all']);
});

test('an API key outlives whoever made it, and that is found', async () => {
  await admin('POST', 'user/', { username: 'leaver', name: 'Leaver', password: 'leaving next week', scope: ['g_admin'], enabled: true });
  await (await signedIn(glewlwyd.url, { username: 'leaver', password: 'leaving next week' }))('POST', 'key/');
  assert.deepEqual(fails(await read(), 'plugins', 'glewlwyd/api-keys-have-living-makers'), []);
  await admin('DELETE', 'user/leaver');
  const ran = await read();
  const [key] = await admin('GET', 'key/');
  assert.deepEqual(fails(ran, 'plugins', 'glewlwyd/api-keys-have-living-makers'), [key.token_hash]);
  assert.equal(plugins(ran)['API key made by leaver from 127.0.0.1'].grade, 'high');
});

test('where administration demands a second factor, a service account is refused and an API key reads', async () => {
  const { key } = await admin('POST', 'key/');
  const mend = () => fetch(`${glewlwyd.url}/api/scope/g_admin`, {
    method: 'PUT', headers: { authorization: `token ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ display_name: 'Administration', description: 'Administers this server', password_required: true, password_max_age: 600, scheme: {}, scheme_required: {} }),
  });
  await changeScope('g_admin', SECOND);
  try {
    const refused = await refusedScan('glewlwyd', args(), service);
    assert.equal(refused.code, 3, refused.said);
    assert.match(refused.said, /g_admin, which must not demand a second factor/);
    assert.match(refused.said, /Reauthenticate/);
    const ran = await read({ token: key }, '--auth', 'key');
    assert.deepEqual(outcomes(ran, 'config', 'glewlwyd/admin-scope-second-factor', 'pass'), ['g_admin']);
    assert.deepEqual(fails(ran, 'accounts', 'shared/account-privileged-second-factor'), ['edsger']);
    // What a key may not read is unknown, not nothing.
    assert.deepEqual(accounts(ran).grace.last_active_at, unknown);
    assert.deepEqual(plugins(ran).Wiki.users, unknown);
    assert.equal(part(ran, 'plugins').plugins.complete, false);
    const wrong = await refusedScan('glewlwyd', args('--auth', 'key'), { token: 'not-a-key' });
    assert.equal(wrong.code, 3, wrong.said);
    assert.match(wrong.said, /an API key that is enabled/);
  } finally {
    assert.equal((await mend()).status, 200);
  }
});

test('a directory that does not answer makes the list of accounts unknown, not short', async () => {
  await admin('POST', 'mod/user/', { module: 'ldap', name: 'staff', display_name: 'Staff', order_rank: 1, readonly: true,
    parameters: { uri: 'ldap://127.0.0.1:9', 'bind-dn': 'cn=reader', 'bind-password': 'unused', 'base-search': 'dc=example', 'search-scope': 'one', filter: 'uid=*', 'page-size': 10,
      'username-property': 'uid', 'name-property': 'cn', 'scope-property': 'o', 'email-property': 'mail', 'scope-match': [] } });
  const ran = await read(service, '--kind', 'accounts');
  assert.equal(part(ran, 'accounts').outcome, 'partial');
  assert.equal(part(ran, 'accounts').cause, 'remote');
  assert.equal(part(ran, 'accounts').accounts.complete, false);
  await admin('DELETE', 'mod/user/staff');
  assert.equal(part(await read(service, '--kind', 'accounts'), 'accounts').accounts.complete, true);
});

const SCANS = ['config', 'accounts', 'plugins'];

test('onboarded at a server: stopped mid-scan, account removed, password changed, scope lost; recovery after each', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const browser = await launch();
  t.after(() => browser.close());
  const door = await startDoor(glewlwyd.url);
  t.after(() => door.shut());
  const page = await open(browser, 'light');
  await setUp(page, server);
  let settings;

  const card = (kind) => page.locator(`#scan-${kind}`);
  const status = async (kind) => (await card(kind).locator('.scan-status .status-word').innerText()).trim();
  const runs = (kind) => card(kind).locator('.log li.run').count();
  /** Waits for what the page shows by itself, without a reload. */
  const shown = async (what, condition, seconds = 60) => {
    for (const until = Date.now() + seconds * 1000; Date.now() < until; await page.waitForTimeout(150)) if (await condition()) return;
    assert.fail(`the page did not show ${what} within ${seconds} s\n${await page.locator('main').innerText()}`);
  };
  const up = () => shown('every scan Up', async () => (await Promise.all(SCANS.map(status))).every((word) => word === 'Up'));
  const scanNow = async (kind) => {
    const had = await runs(kind);
    await card(kind).getByRole('button', { name: /^Scan now/ }).click();
    await shown(`a finished run of ${kind}`, async () => (await runs(kind)) > had);
  };
  /** One failed run, told by these words, and by none of those. */
  const failed = async (kind, words, not) => {
    assert.equal(await status(kind), 'Unhealthy');
    const said = await card(kind).innerText();
    assert.match(said, words);
    assert.doesNotMatch(said.split('Last finished')[0], not);
  };
  const recovered = async (kind) => {
    await scanNow(kind);
    assert.equal(await status(kind), 'Up', await card(kind).innerText());
  };
  const enter = async (url, password) => {
    await page.goto(url);
    for (const [field, value] of [['username', service.username], ['password', password]]) await page.locator(`form[method=post] [name$="${field}"]`).fill(value);
    if (await page.getByLabel('Address of the server').isEditable()) await page.getByLabel('Address of the server').fill(door.url);
    await page.getByRole('button', { name: 'Verify' }).click();
  };

  await t.test('it is onboarded by the wizard and every scan comes up', async () => {
    await enter(`${server.url}/applications/add/glewlwyd?auth=session`, service.password);
    await page.getByRole('heading', { level: 1, name: /Verified/ }).waitFor();
    await page.getByRole('button', { name: 'Save and scan' }).click();
    await page.goto(`${server.url}/applications`);
    settings = `${server.url}${await page.locator('.tile a.more').getAttribute('href')}/settings`;
    await page.goto(settings);
    await up();
  });

  await t.test('accounts, clients and findings are on its pages, and a finding ends when its cause does', async () => {
    const of = async (list) => JSON.parse(await (await page.request.get(`${settings.replace('/settings', '')}/${list}.json`)).text());
    const unresolved = async (check) => (await of('findings')).filter((finding) => finding.check === check && finding.resolved_at === null).map(({ resource }) => resource).sort();
    assert.deepEqual((await of('accounts')).map(({ username }) => username).sort(), ['ada', 'admin', 'edsger', 'grace', service.username]);
    assert.deepEqual((await of('plugins')).map(({ name }) => name).sort(), ['API key made by admin from 127.0.0.1', 'API key made by leaver from 127.0.0.1', 'Robot', 'Wiki']);
    assert.deepEqual(await unresolved('glewlwyd/admin-scope-second-factor'), ['g_admin']);
    assert.deepEqual(await unresolved('shared/account-privileged-second-factor'), ['admin', 'edsger']);
    assert.deepEqual(await unresolved('glewlwyd/scopes-second-factor'), ['openid']);
    await changeScope('openid', { ...SECOND, password_required: true });
    await scanNow('config');
    assert.deepEqual(await unresolved('glewlwyd/scopes-second-factor'), []);
  });

  await t.test('stopped in the middle of a scan: unreachable, and back it is read', async () => {
    const stopped = new Promise((resolve) => door.after(5, () => resolve(Promise.all([door.shut(), glewlwyd.stop()]))));
    const had = await runs('config');
    await card('config').getByRole('button', { name: /^Scan now/ }).click();
    await stopped;
    await shown('the end of the run', async () => (await runs('config')) > had);
    await failed('config', /could not be reached|refused the connection|unreachable/i, /credential was|revoked/i);
    glewlwyd = await startPeer('glewlwyd', '--dir', folder, '--port', String(glewlwyd.port));
    admin = await signedIn(glewlwyd.url, seed.admin);
    await door.open();
    await recovered('config');
  });

  await t.test('its account removed: credentials; made again, it is read', async () => {
    await admin('DELETE', `user/${service.username}`);
    await scanNow('accounts');
    await failed('accounts', /credential/i, /could not be reached/i);
    assert.ok(await card('accounts').getByRole('link', { name: 'Reauthenticate' }).count() > 0, 'nothing leads to Reauthenticate');
    await admin('POST', 'user/', { ...seed.service, scope: ['g_admin'], enabled: true });
    await recovered('accounts');
  });

  await t.test('the scope taken: permission, named; given back, it is read', async () => {
    const account = await admin('GET', `user/${service.username}`);
    await admin('PUT', `user/${service.username}`, { ...account, scope: ['g_profile'] });
    await scanNow('config');
    await failed('config', /Grant g_admin at Glewlwyd/, /could not be reached|credential was/i);
    await admin('PUT', `user/${service.username}`, account);
    await recovered('config');
  });

  await t.test('its password changed: credentials; the new one, entered by Reauthenticate, is read', async () => {
    const account = await admin('GET', `user/${service.username}`);
    await admin('PUT', `user/${service.username}`, { ...account, password: 'another long password' });
    await scanNow('plugins');
    await failed('plugins', /credential/i, /could not be reached/i);
    await enter(settings.replace('/settings', '/reauthenticate?auth=session'), 'another long password');
    await page.getByRole('heading', { level: 1, name: /Verified/ }).waitFor();
    await page.getByRole('button', { name: 'Replace the credential' }).click();
    await page.goto(settings);
    await up();
  });

  await t.test('no password is in a file or the log', async () => {
    for (const secret of [service.password, 'another long password']) {
      assert.ok(!server.log().includes(secret), 'a password is in the log');
      for (const { name, bytes } of await server.files()) assert.ok(!bytes.includes(secret), `a password is in ${name}`);
    }
    assertQuiet(page, 'the whole story');
  });
});
