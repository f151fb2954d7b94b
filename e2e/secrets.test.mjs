// Secrets are found nowhere: not in the database (compressed snapshots unpacked), nor in files, logs, pages, exports or
// refusals, whether the credential worked, failed or was never right.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { launch, open, signIn } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { allPages } from './lib/pages.mjs';

const PLANTED = {
  token: 'planted-token-5e1f0c9ab3', private_key: '-----BEGIN RSA PRIVATE KEY-----\nplantedkey7b2d\n-----END RSA PRIVATE KEY-----', client_secret: 'planted-client-secret-91d4',
};

let demo;
let browser;
let page;
const bodies = [];
before(async () => {
  demo = await startDemo();
  browser = await launch();
  page = await open(browser, 'light');
  page.on('response', async (answer) => {
    const body = await answer.text().catch(() => ''); // a redirect or a stream has no body to keep
    bodies.push({ where: answer.url(), text: `${JSON.stringify(answer.headers())}\n${body}` });
  });
  await signIn(page, demo);
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** Every secret that was ever entered, in the forms in which it travels. */
function secrets() {
  const values = [
    ...Object.values(PLANTED),
    ...demo.instances.flatMap(({ credential, replacement, foreign }) => [credential, replacement, foreign])
      .flatMap(({ values: fields }) => Object.entries(fields).filter(([name]) => !['app_id', 'client_id', 'certificate', 'subject'].includes(name)).map(([, value]) => value)),
    demo.password,
  ];
  // Of a PEM key each line is telling; of anything else the whole.
  const plain = values.flatMap((value) => (value.includes('-----BEGIN') ? value.split('\n').filter((line) => line && !line.startsWith('-----')) : [value]));
  const encoded = plain.flatMap((value) => [value, encodeURIComponent(value), Buffer.from(value).toString('base64').replace(/=+$/, '')]);
  return [...new Set(encoded)].filter((value) => value.length >= 8);
}

function assertNone(text, where) {
  const haystack = Buffer.isBuffer(text) ? text : Buffer.from(text);
  for (const secret of secrets()) {
    assert.ok(!haystack.includes(secret), `${where} holds the secret ${secret.slice(0, 6)}... (${secret.length} characters)`);
  }
}

async function addressOf(name) {
  await page.goto(`${demo.url}/applications`);
  return await page.getByRole('article').filter({ has: page.getByRole('heading', { name, exact: true }) })
    .getByRole('link', { name: /View Details/ }).getAttribute('href');
}

test('credentials that are refused are not sent back, stored or logged', async () => {
  for (const [name, auth] of [['Acme engineering', 'token'], ['Acme open source', 'app'], ['Acme directory', 'client']]) {
    await page.goto(`${demo.url}${await addressOf(name)}/reauthenticate?auth=${auth}`);
    const form = page.locator('form[method=post]').filter({ has: page.getByRole('button', { name: 'Verify' }) });
    for (const field of await form.locator('input:not([type=hidden]):not([readonly]), textarea:not([readonly])').all()) {
      const title = await field.getAttribute('name');
      const [, planted] = Object.entries(PLANTED).find(([suffix]) => title.endsWith(suffix)) ?? [];
      await field.fill(planted ?? '4242');
    }
    await form.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('alert').waitFor();
    assertNone(await page.content(), `the refusal on ${name}`);
  }
});

test('a failing run names its request without the credential', async () => {
  const answer = await fetch(`${demo.simulator}/control/acme/revoke`, { method: 'POST' });
  assert.equal(answer.status, 200);
  const settings = `${demo.url}${await addressOf('Acme engineering')}/settings`;
  await page.goto(settings);
  await page.locator('#scan-config').getByRole('button', { name: /^Scan now/ }).click();
  const word = () => page.locator('#scan-config .scan-status .status-word').innerText();
  for (let i = 0; i < 60 && ['Up', 'Scanning'].includes((await word()).trim()); i += 1) {
    await page.waitForTimeout(500);
    await page.goto(settings);
  }
  assert.match(await page.locator('#scan-config').innerText(), /401/);
});

test('no page, export or answer holds a secret', async () => {
  for (const { path } of await allPages(page, demo)) await page.goto(demo.url + path);
  for (const path of ['/findings.csv', '/findings.json', '/accounts.csv', '/accounts.json', '/plugins.csv', '/plugins.json']) {
    const answer = await page.request.get(demo.url + path);
    assert.equal(answer.status(), 200, path);
    bodies.push({ where: path, text: await answer.text() });
  }
  assert.ok(bodies.length > 30, `only ${bodies.length} answers were kept`);
  for (const { where, text } of bodies) assertNone(text, where);
});

test('no log line holds a secret', () => {
  assert.ok(demo.log().length > 500, 'the log is empty');
  assertNone(demo.log(), 'the log');
});

test('no value in the database holds a secret, compressed ones unpacked', () => {
  const files = readdirSync(demo.folder, { recursive: true }).map((name) => join(demo.folder, name)).filter((name) => statSync(name).isFile());
  const path = files.find((name) => name.endsWith('.db')) ?? assert.fail(`no database among ${files}`);
  for (const file of files) assertNone(readFileSync(file), file);
  const database = new DatabaseSync(path, { readOnly: true });
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all().map(({ name }) => name);
  let values = 0;
  let unpacked = 0;
  for (const table of tables) {
    for (const row of database.prepare(`select * from "${table}"`).all()) {
      for (const [column, value] of Object.entries(row)) {
        if (typeof value !== 'string' && !(value instanceof Uint8Array)) continue;
        let bytes = Buffer.from(value);
        if (bytes.readUInt32LE && bytes.length > 4 && bytes.readUInt32LE(0) === 0xFD2FB528) {
          bytes = zstdDecompressSync(bytes);
          unpacked += 1;
        }
        assertNone(bytes, `${table}.${column}`);
        values += 1;
      }
    }
  }
  database.close();
  assert.ok(values > 1000 && unpacked > 5, `only ${values} values were read, ${unpacked} of them compressed`);
});

test('the search would find a secret that is there', () => {
  assert.throws(() => assertNone(`x ${PLANTED.token} y`, 'here'));
  assert.throws(() => assertNone(Buffer.from(`Basic ${Buffer.from(PLANTED.client_secret).toString('base64')}`), 'here'));
});
