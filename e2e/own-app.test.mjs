// docs/guides/bring-your-own-app.md, done to the letter: its blocks are copied into an empty folder outside of the repository,
// its commands are run against a real JupyterHub, and the application gets its tile. Then each way it goes wrong there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, open } from './lib/browser.mjs';
import { startPeer } from './lib/peer.mjs';
import { parapet } from './lib/scan.mjs';

const guide = readFileSync(new URL('../docs/guides/bring-your-own-app.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'parapet-own-app-'));
const tokens = { PARAPET_TOKEN: randomBytes(32).toString('hex'), REPORTS_TOKEN: randomBytes(32).toString('hex') };
const EXAMPLE = 'hub.corp.example';

/** The blocks of the guide: `{ name, text }`, in order; `run` holds commands, other names are files. */
const blocks = [...guide.matchAll(/^(`{3,})(\w+) (\S+)\n([\s\S]*?)^\1\n/gm)].map(([, , , name, text]) => ({ name, text }));

let hub;
let server;
let browser;
before(async () => {
  Object.assign(process.env, tokens);
  const place = join(folder, 'hub');
  mkdirSync(place);
  writeFileSync(join(place, 'jupyterhub_config.py'), blocks.find(({ name }) => name === 'jupyterhub_config.py').text);
  hub = await startPeer('jupyterhub', '--dir', place);
  cpSync(hub.ca, join(folder, 'corp.pem'));
  // `parapet` as people type it.
  mkdirSync(join(folder, 'bin'));
  symlinkSync(process.env.PARAPET_TEST_SERVER, join(folder, 'bin', 'parapet'));
});
after(async () => {
  await browser?.close();
  server?.kill('SIGKILL');
  await hub?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The guide's example address becomes the hub's. */
const here = (text) => text.replaceAll(`https://${EXAMPLE}`, hub.url).replaceAll(EXAMPLE, new URL(hub.url).hostname);

/** Runs a block of commands by a shell that stops at the first that fails. */
function shell(text, env = tokens) {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-euc', here(text)], {
      cwd: folder, env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { said += chunk; });
    child.on('close', (code) => resolve({ code, said }));
  });
}

const attempt = (args, env = tokens) => parapet(['app', 'try', 'my-catalog', ...args], { cwd: folder, env });
const reached = () => ['--set', `address=${hub.url}`, '--allow-private', 'localhost', '--ca', 'corp.pem'];

/** What the hub answers to somebody who may change it. */
function change(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request(`${hub.url}/hub/api${path}`, {
      method, ca: readFileSync(hub.ca), headers: { authorization: `token ${tokens.REPORTS_TOKEN}`, 'content-type': 'application/json' },
    }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => { text += chunk; });
      answer.on('end', () => (answer.statusCode < 300 ? resolve(text && JSON.parse(text)) : reject(new Error(`${path}: ${answer.statusCode} ${text}`))));
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

test('the guide leads from an empty folder to an onboarded application', async () => {
  await change('POST', '/users', { usernames: ['grace', 'alan'] });
  await change('POST', '/users/grace/tokens', { note: 'nightly report' });
  let ran = 0;
  for (const { name, text } of blocks) {
    if (name === 'jupyterhub_config.py') continue;
    if (name === 'run') {
      const { code, said } = await shell(text);
      assert.equal(code, 0, `the guide's commands\n${text}ended with ${code}:\n${said}`);
      assert.doesNotMatch(said, /remark:/, 'the examples of the guide are not tight');
      ran += 1;
    } else {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, here(text));
    }
  }
  assert.ok(ran >= 5, `only ${ran} blocks of commands were found in the guide`);
  const recorded = readFileSync(join(folder, 'my-catalog/apps/jupyterhub/fixtures/first/tape.json'), 'utf8');
  for (const secret of Object.values(tokens)) assert.ok(!recorded.includes(secret), 'a token was recorded');
});

const report = async (env) => {
  const { code, stdout, stderr } = await attempt([...reached(), '--json'], env);
  assert.ok(stdout.startsWith('{'), `${code}: ${stdout}${stderr}`);
  return { code, ...JSON.parse(stdout).dry_run };
};
const scanOf = (ran, kind) => ran.scans.find((scan) => scan.kind === kind);
const checkOf = (ran, kind, id) => scanOf(ran, kind).checks.find((check) => check.id === id);

test('what the dry run shows is what the hub has, and changes with it', async () => {
  const before = await report();
  assert.equal(before.code, 0);
  assert.deepEqual(before.scans.map(({ kind, outcome }) => [kind, outcome]), [['config', 'succeeded'], ['accounts', 'succeeded'], ['plugins', 'succeeded']]);
  assert.deepEqual([scanOf(before, 'accounts').accounts.count, scanOf(before, 'accounts').accounts.complete], [3, true]);
  const tally = ({ pass, fail, inconclusive }) => [pass, fail, inconclusive];
  assert.deepEqual(tally(checkOf(before, 'config', 'jupyterhub/sign-in-asks-for-proof')), [0, 1, 0]);
  assert.deepEqual(tally(checkOf(before, 'config', 'jupyterhub/people-are-kept-apart')), [0, 1, 0]);
  assert.deepEqual(tally(checkOf(before, 'config', 'jupyterhub/few-administrators')), [1, 0, 0]);
  assert.deepEqual(tally(checkOf(before, 'plugins', 'jupyterhub/services-are-no-administrators')), [1, 1, 0]);
  // Grace's token never ends; what the hub does not know stays undecided.
  assert.deepEqual(tally(checkOf(before, 'plugins', 'shared/plugin-token-expires')), [0, 1, 0]);
  assert.deepEqual(tally(checkOf(before, 'accounts', 'shared/account-second-factor')), [0, 0, 3]);

  // More people than one page of the hub holds, and too many administrators among them.
  const many = Array.from({ length: 120 }, (_, n) => `person-${n}`);
  await change('POST', '/users', { usernames: many });
  for (const name of many.slice(0, 3)) await change('PATCH', `/users/${name}`, { admin: true });
  await change('DELETE', '/users/alan');
  const after = await report();
  assert.deepEqual([scanOf(after, 'accounts').accounts.count, scanOf(after, 'accounts').accounts.complete], [122, true]);
  assert.deepEqual(tally(checkOf(after, 'config', 'jupyterhub/few-administrators')), [0, 1, 0]);
  for (const name of many) await change('DELETE', `/users/${name}`);
});

test('each way it goes wrong is told with what to do', async () => {
  const cases = [
    ['a wrong token', reached(), { PARAPET_TOKEN: 'wrong' }, 3, /does not accept the credential[\s\S]*Reauthenticate/],
    ['a token without scopes', reached(), { PARAPET_TOKEN: await scopeless() }, 3, /Config Scan: not run, the credential lacks read:hub/],
    ['no token', reached(), {}, 2, /PARAPET_TOKEN is not set/],
    ['no encryption', ['--set', `address=http://${EXAMPLE}`], tokens, 2, /the credential would travel unencrypted/],
    ['a private address', ['--set', 'address=https://127.0.0.1:9'], tokens, 2, /--allow-private 127\.0\.0\.1/],
    ['a private name', ['--set', `address=${hub.url}`], tokens, 3, /--allow-private/],
    ['an unknown authority', ['--set', `address=${hub.url}`, '--allow-private', 'localhost'], tokens, 3, /authority that is not trusted here[\s\S]*--ca FILE/],
    ['nobody there', ['--set', 'address=https://localhost:9', '--allow-private', 'localhost'], tokens, 3, /refused the connection/],
    ['a path too much', ['--set', `address=${hub.url}/hub/login`, ...reached().slice(2)], tokens, 3, /HTML page came instead of JSON/],
  ];
  for (const [what, args, env, code, says] of cases) {
    const ran = await attempt(args, env);
    assert.equal(ran.code, code, `${what}: ${ran.stdout}${ran.stderr}`);
    assert.match(ran.stdout + ran.stderr, says, what);
    assert.ok(!(ran.stdout + ran.stderr).includes(tokens.PARAPET_TOKEN), `${what}: the token is printed`);
  }
});

/** A token that may only see its own name. */
async function scopeless() {
  const { token } = await change('POST', '/users/grace/tokens', { note: 'nothing', scopes: ['read:users:name!user'], expires_in: 3600 });
  return token;
}

/** Starts the server and waits for what it prints: its address and the token of the first set-up. */
async function serve() {
  server = spawn(process.env.PARAPET_TEST_SERVER, ['serve', '--config', 'parapet.toml', '--listen', '127.0.0.1:0'], {
    cwd: folder, env: { PATH: process.env.PATH, HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  server.stderr.on('data', (chunk) => { log += chunk; });
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout.on('data', (chunk) => {
      text += chunk;
      const found = text.match(/Open (http\S+)\/set-up[\s\S]*?\n\s+(\S+)\n/);
      if (found) resolve({ url: found[1], token: found[2], log: () => log });
    });
    server.on('exit', (code) => reject(new Error(`serve ended with ${code}\n${text}${log}`)));
  });
}

test('the tile is there, with findings', async () => {
  assert.ok(existsSync(join(folder, 'parapet.db')), 'the guide did not onboard anything');
  const { url, token, log } = await serve();
  browser = await launch();
  const page = await open(browser, 'light');
  await page.goto(`${url}/set-up`);
  await page.getByLabel('One-time token').fill(token);
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await page.getByLabel('Password again').fill('correct horse battery');
  await page.getByRole('button', { name: 'Set up and sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Applications' }).waitFor();
  const tile = page.getByRole('article').filter({ has: page.getByRole('heading', { name: 'Research hub', exact: true }) });
  const until = Date.now() + 60_000;
  while ((log().match(/finished/g) ?? []).length < 3 && Date.now() < until) await page.waitForTimeout(200);
  await page.reload();
  assert.equal((await tile.locator('.tile-status .status-word').innerText()).trim(), 'Up', log());
  assert.match(await tile.innerText(), /JupyterHub/);
  await tile.getByRole('link', { name: /View Details/ }).click();
  await page.getByRole('heading', { level: 1, name: 'Research hub' }).waitFor();
  await page.goto(`${url}/findings`);
  const found = await page.locator('main table').innerText();
  assert.match(found, /anybody can sign in as anybody: the hub authenticates with \S*DummyAuthenticator/);
  assert.match(found, /the service reports may do everything an administrator may/);
  await page.goto(`${url}/accounts`);
  const people = await page.locator('main table').innerText();
  for (const name of ['ada', 'grace']) assert.ok(people.includes(name), `${name} is not among the accounts: ${people}`);
});
