// Signing in at a vendor: a real Canaille, its own sign-in pages, tokens that it renews at every use and ends when it likes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assertAccessible, assertQuiet, launch, open } from './lib/browser.mjs';
import { startPeer } from './lib/peer.mjs';
import { setUp, startServer } from './lib/serve.mjs';

const own = fileURLToPath(new URL('./own', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'parapet-sign-in-'));
const PERSON = { name: 'ada', password: 'the difference engine' };
const CLIENT = { id: 'parapet-people', secret: 'a-secret-of-the-client' };
// Shorter than a token's last minute, in which it is not used any more: every scan renews.
const TOKEN_SECONDS = 59;

let canaille;
let server;
let browser;
let page;
before(async () => {
  [canaille, server, browser] = await Promise.all([
    startPeer('canaille', '--dir', folder, '--token-seconds', String(TOKEN_SECONDS), '--administrator', PERSON.name), startServer({ catalog: [own] }), launch(),
  ]);
  await admin('set', 'user', PERSON.name, '--password', PERSON.password);
  await admin('create', 'client', '--client-id', CLIENT.id, '--client-secret', CLIENT.secret, '--client-name', 'Parapet',
    '--grant-types', 'authorization_code', '--grant-types', 'refresh_token', '--response-types', 'code',
    '--token-endpoint-auth-method', 'client_secret_basic', '--scope', 'profile', '--redirect-uris', `${server.url}/connect/directory`);
  page = await open(browser, 'light');
  await setUp(page, server);
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), canaille?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const run = promisify(execFile);
const admin = async (...args) => (await run(canaille.admin, args, { env: { ...process.env, CANAILLE_CONFIG: canaille.config } })).stdout;
/** Canaille's tokens, the newest last. */
const tokens = async () => JSON.parse(await admin('get', 'token')).sort((a, b) => a.created.localeCompare(b.created) || a.issue_date.localeCompare(b.issue_date));
const living = async () => (await tokens()).filter((token) => !token.revokation_date);

const card = (kind) => page.locator(`#scan-${kind}`);
const status = async (kind) => (await card(kind).locator('.scan-status .status-word').innerText()).trim();
const runs = (kind) => card(kind).locator('.log li.run').count();
const shown = async (what, condition, seconds = 60) => {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await page.waitForTimeout(150)) if (await condition()) return;
  assert.fail(`the page did not show ${what} within ${seconds} s\n${await page.locator('main').innerText()}`);
};
const scanNow = async (kind) => {
  const had = await runs(kind);
  await card(kind).getByRole('button', { name: /^Scan now/ }).click();
  await shown(`a finished run of ${kind}`, async () => (await runs(kind)) > had);
};
/** What Canaille holds lasts; only Parapet takes it for ending. The test may take its time. */
const lasting = async () => {
  for (const { id } of await living()) await admin('set', 'token', id, '--lifetime', '86400');
};
/** At the vendor: its own pages, and nothing of ours. */
const signIn = async () => {
  await page.getByRole('link', { name: 'Sign in at Directory' }).click();
  if (await page.locator('#loginform #login').isVisible()) {
    await page.locator('#login').fill(PERSON.name);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('input[type=password]').fill(PERSON.password);
    await page.locator('form button[type=submit]').last().click();
  }
  const accept = page.locator('#accept');
  const back = page.getByRole('heading', { level: 1, name: /at Directory$/ });
  await accept.or(back).first().waitFor();
  if (await accept.isVisible()) await accept.click();
  await back.waitFor();
};
let settings;

test('the wizard leads to the vendor and back, and nothing is saved on the way', async () => {
  await page.goto(`${server.url}/applications/add/directory`);
  await assertAccessible(page, 'the form');
  assert.match(await page.locator('main').innerText(), new RegExp(`${server.url}/connect/directory`));
  await page.getByLabel('Address of the server').fill(canaille.url);
  await page.getByLabel('Client ID').fill(CLIENT.id);
  await page.getByLabel('Client secret').fill(CLIENT.secret);
  await page.getByRole('button', { name: 'Go on to the sign-in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Sign in at Directory' }).waitFor();
  await assertAccessible(page, 'before the sign-in');
  assert.ok(!(await page.content()).includes(CLIENT.secret), 'the secret went back to the browser');
  await signIn();
  await page.getByRole('heading', { level: 1, name: 'Signed in at Directory' }).waitFor();
  await assertAccessible(page, 'after the sign-in');
  assert.deepEqual(await tokens(), [], 'coming back redeemed the code');
  const returned = page.url();
  await page.getByRole('button', { name: 'Go on to the verification' }).click();
  await page.getByRole('heading', { level: 1, name: /^Verified/ }).waitFor();
  const verified = await page.locator('main').innerText();
  assert.match(verified, /Authenticates as\s+ada/);
  assert.match(verified, /Granted\s+profile/);
  // The same address again, as by the back button: the sign-in has been used.
  const second = await page.context().newPage();
  assert.equal((await second.goto(returned)).status(), 409);
  await second.close();
  await page.getByRole('button', { name: 'Save and scan' }).click();
  await page.goto(`${server.url}/applications`);
  settings = `${server.url}${await page.locator('.tile a.more').getAttribute('href')}/settings`;
  await page.goto(settings);
  await shown('both scans Up', async () => (await status('config')) === 'Up' && (await status('accounts')) === 'Up');
});

test('the vendor renews the token at each scan, and the scans go on', async () => {
  await lasting();
  for (let scans = 0; scans < 2; scans += 1) {
    const before = await living();
    assert.equal(before.length, 1, 'of all that were sold, one is good');
    await scanNow('config');
    assert.equal(await status('config'), 'Up', await card('config').innerText());
    const after = await living();
    assert.equal(after.length, 1);
    assert.notEqual(after[0].refresh_token, before[0].refresh_token);
    await lasting();
  }
});

test('a sign-in that is revoked is a matter of credentials, and made anew at the vendor', async () => {
  for (const { id } of await living()) await admin('set', 'token', id, '--revokation-date', '2020-01-01T00:00:00+00:00');
  await scanNow('config');
  assert.equal(await status('config'), 'Unhealthy');
  const said = await card('config').innerText();
  assert.match(said, /sign-in at the vendor has ended/);
  assert.match(said, /Reauthenticate/);
  await page.goto(settings.replace('/settings', '/reauthenticate'));
  // The client is still registered: nothing has to be entered again.
  await page.getByRole('button', { name: 'Go on to the sign-in' }).click();
  await signIn();
  await page.getByRole('button', { name: 'Go on to the verification' }).click();
  await page.getByRole('heading', { level: 1, name: /^Verified/ }).waitFor();
  await page.getByRole('button', { name: 'Replace the credential' }).click();
  await page.goto(settings);
  await shown('both scans Up', async () => (await status('config')) === 'Up' && (await status('accounts')) === 'Up');
});

test('whoever says no at the vendor has saved nothing', async () => {
  await admin('delete', 'consent', '--noconfirm').catch(() => {});
  await page.goto(`${server.url}/applications/add/directory`);
  await page.getByLabel('Address of the server').fill(canaille.url);
  await page.getByLabel('Client ID').fill(CLIENT.id);
  await page.getByLabel('Client secret').fill(CLIENT.secret);
  await page.getByRole('button', { name: 'Go on to the sign-in' }).click();
  const leave = await page.getByRole('link', { name: 'Sign in at Directory' }).getAttribute('href');
  const state = new URL(leave).searchParams.get('state');
  page.troubles.length = 0;
  // As Canaille sends whoever presses Decline.
  await page.goto(`${server.url}/connect/directory?error=access_denied&state=${state}`);
  await page.getByText('ended the sign-in with access_denied').waitFor();
  await assertAccessible(page, 'after a refusal');
  page.troubles = page.troubles.filter((trouble) => !/status of 422/.test(trouble));
  await page.getByRole('link', { name: 'Begin again' }).click();
  await page.getByRole('heading', { level: 1, name: 'Add Directory' }).waitFor();
});

test('no token, code or secret is in a log, a file or a page', async () => {
  const secrets = [CLIENT.secret, ...(await tokens()).flatMap((token) => [token.access_token, token.refresh_token])].filter(Boolean);
  assert.ok(secrets.length > 4, 'there was nothing to look for');
  for (const secret of secrets) {
    assert.ok(!server.log().includes(secret), 'a secret is in the log');
    for (const { name, bytes } of await server.files()) assert.ok(!bytes.includes(secret), `a secret is in ${name}`);
  }
  page.troubles = page.troubles.filter((trouble) => !/status of 409/.test(trouble));
  assertQuiet(page, 'the whole way');
});
