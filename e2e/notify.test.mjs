// What people are told, by servers that others wrote: mail through aiosmtpd with STARTTLS and a password, syslog over TLS into
// syslog-ng, a webhook whose signature is checked here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, open, signIn } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { startPeer } from './lib/peer.mjs';
import { parapet } from './lib/scan.mjs';

const folder = mkdtempSync(join(tmpdir(), 'parapet-notify-'));
const box = join(folder, 'mail');
const config = join(folder, 'parapet.toml');
const PASSWORD = 'let-me-in';
const KEY = 'a key that nobody guesses';
const NOTIFICATIONS = '/settings/notifications';
let mail;
let demo;
let browser;
let page;

before(async () => {
  mkdirSync(box);
  mail = await startPeer('mail', '--dir', box);
  writeFileSync(join(folder, 'smtp.password'), `${PASSWORD}\n`);
  writeFileSync(config, `
public_url = "https://parapet.example.com"
[outbound]
allow_loopback_http = true
ca_file = "${mail.ca}"
[mail]
host = "127.0.0.1"
port = ${mail.port}
username = "parapet"
password_file = "${join(folder, 'smtp.password')}"
from = "Parapet <parapet@example.com>"
admins = ["secops@example.com"]
`);
  demo = await startDemo('--config', config);
  browser = await launch();
  page = await open(browser, 'light');
  await signIn(page, demo);
});
after(async () => {
  await browser?.close();
  await demo?.stop();
  await mail?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const mails = () => (existsSync(join(box, 'mails')) ? readdirSync(join(box, 'mails')) : [])
  .filter((name) => name.endsWith('.json')).sort().map((name) => JSON.parse(readFileSync(join(box, 'mails', name), 'utf8')));
const tests = () => mails().filter(({ subject }) => subject.includes('asked for this test'));
const digests = () => mails().filter(({ id }) => id.startsWith('<digest.'));

/** Waits for something that happens by itself; says what was not seen. */
async function until(what, seen, seconds = 60) {
  for (let i = 0; i < seconds * 4; i += 1) {
    const found = await seen();
    if (found) return found;
    await new Promise((later) => setTimeout(later, 250));
  }
  throw new Error(`not within ${seconds} s: ${what}\n${demo.log()}`);
}

async function sendTest(to) {
  await page.goto(demo.url + NOTIFICATIONS);
  await page.getByLabel('Send a test mail to').fill(to);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('status').waitFor();
}

/** The word and the sentence of the mail transport. */
async function transport() {
  await page.goto(demo.url + NOTIFICATIONS);
  return page.locator('section[aria-labelledby="h-mail"]').innerText();
}

test('a test mail arrives, encrypted and signed in', async () => {
  await sendTest('ada@example.com');
  const [first] = await until('the test mail', () => tests().length && tests());
  assert.deepEqual([first.tls, first.login, first.to], [true, 'parapet', ['ada@example.com']]);
  await until('Up', async () => (await transport()).includes('Up'));
});

test('doctor sends one too, and says what the server answered', async () => {
  const key = await parapet(['key', 'new', join(folder, 'parapet.key')]);
  assert.equal(key.code, 0, key.stderr);
  const own = join(folder, 'doctor.toml');
  writeFileSync(own, `database = "sqlite:${join(folder, 'doctor.db')}"\nsealing_key_file = "${join(folder, 'parapet.key')}"\nlisten = "127.0.0.1:0"\n${readFileSync(config, 'utf8')}`);
  const ran = await parapet(['doctor', '--config', own, '--send-test-mail', 'grace@example.com']);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.match(ran.stdout, /✓ mail: .*took a test mail to grace@example.com/);
  const refused = await parapet(['doctor', '--config', own, '--send-test-mail', 'nobody@example.com']);
  assert.equal(refused.code, 2);
  assert.match(refused.stdout, /✗ mail: .*550 5.1.1 no such mailbox/);
  const wrong = await parapet(['doctor', '--config', own, '--send-test-mail', 'grace@example.com'], { env: { PARAPET_SMTP_PASSWORD: 'hunter2-wrong' } });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stdout, /refused the sign-in \(535/);
  assert.ok(!(wrong.stdout + wrong.stderr).includes('hunter2-wrong'), 'the password is not printed');
});

test('the digests of the company arrive, one an owner and day', async () => {
  // A minute from now, in each owner's own zone, entered where an admin enters it.
  const soon = new Date(Date.now() + 75_000);
  const at = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit' }).format(soon);
  for (const owner of ['Ada Berg', 'Tariq Olsen']) {
    await page.goto(`${demo.url}/owners`);
    const row = page.getByRole('row', { name: new RegExp(owner) });
    await row.locator('summary').click();
    await row.getByLabel('Digest at').fill(at);
    await row.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').waitFor();
  }
  const owners = () => digests().filter(({ id }) => !id.includes('.admins'));
  await until('two digests', () => owners().length >= 2, 200);
  // Two more looks of the engine: nothing is mailed twice.
  await new Promise((later) => setTimeout(later, 65_000));
  assert.deepEqual(owners().map(({ to }) => to[0]).sort(), ['ada.berg@example.com', 'tariq.olsen@example.com']);
  for (const { subject, parts, headers, tls } of owners()) {
    assert.ok(tls);
    assert.match(subject, /^Parapet: /);
    assert.equal(headers['Auto-Submitted'], 'auto-generated');
    assert.match(parts['text/plain'], /simulated/);
    assert.match(parts['text/html'], /https:\/\/parapet\.example\.com\/applications/);
    // What is not Up stands first, with what to do.
    if (/Down|Unhealthy/.test(subject)) {
      assert.ok(parts['text/plain'].indexOf('NOT UP') < parts['text/plain'].indexOf('CHANGED'));
      assert.match(parts['text/plain'], /What to do:/);
    }
  }
  assert.ok(owners().some(({ subject }) => /Down|Unhealthy/.test(subject)), 'the company is not all well');
});

test('the server away and back: late, not lost', async () => {
  await mail.stop();
  await sendTest('late@example.com');
  await until('Unhealthy', async () => /Unhealthy|Down/.test(await transport()));
  assert.match(await transport(), /message waits; nothing is lost/);
  mail = await startPeer('mail', '--dir', box, '--port', String(mail.port));
  await page.goto(demo.url + NOTIFICATIONS);
  await page.getByRole('button', { name: 'Try now what waits', exact: true }).first().click();
  const late = await until('the late mail', () => tests().find(({ to }) => to[0] === 'late@example.com'));
  assert.ok(late.tls);
  await until('Up again', async () => /^Up|\nUp/.test(await transport()) || (await transport()).includes('Working'));
});

test('a wrong password is Down, with the sentence', async () => {
  writeFileSync(join(box, 'password'), 'changed-meanwhile');
  await sendTest('locked@example.com');
  const says = await until('Down', async () => {
    const text = await transport();
    return text.includes('Down') && text;
  }, 90);
  assert.match(says, /refused the sign-in \(535/);
  assert.match(says, /Check the user name and the password/);
  writeFileSync(join(box, 'password'), PASSWORD);
  await page.getByRole('button', { name: 'Try now what waits', exact: true }).first().click();
  await until('the mail that waited', () => tests().find(({ to }) => to[0] === 'locked@example.com'));
});

test('an address that is refused for good is kept and shown', async () => {
  await sendTest('nobody@example.com');
  await until('not delivered', async () => {
    await page.goto(demo.url + NOTIFICATIONS);
    return (await page.locator('section[aria-labelledby="h-failed"]').innerText()).includes('no such mailbox');
  });
  assert.match(await transport(), /Working/);
});

/** Opens the form of a sort of destination, fills it in and sends a test. */
async function add(kind, fields) {
  await page.goto(demo.url + NOTIFICATIONS);
  const form = page.locator('details', { has: page.locator('summary', { hasText: new RegExp(`^${kind}$`) }) });
  await form.locator('summary').click();
  for (const [label, value] of Object.entries(fields)) await form.getByLabel(label, { exact: true }).fill(value);
  await form.getByRole('button', { name: `Add ${kind}` }).click();
  await page.getByRole('status').waitFor();
  await page.getByRole('button', { name: `Send a test to ${fields.Name}` }).click();
  await page.getByRole('status').waitFor();
}

test('a webhook is signed, and its address is shown nowhere', async () => {
  const posts = [];
  const receiver = createServer({ key: readFileSync(join(box, 'server.key')), cert: readFileSync(join(box, 'server.pem')) }, (request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      posts.push({ headers: request.headers, body, path: request.url });
      response.writeHead(posts.length === 1 ? 503 : 204, { 'retry-after': '1' }).end('busy');
    });
  });
  await new Promise((up) => receiver.listen(0, '127.0.0.1', up));
  try {
    const secretPath = 'planted-in-the-path';
    await add('Webhook', { Name: 'Receiver', Address: `https://127.0.0.1:${receiver.address().port}/${secretPath}`, 'Key of the signature': KEY });
    await until('a second attempt', () => posts.length >= 2);
    for (const { headers, body, path } of posts) {
      assert.equal(path, `/${secretPath}`);
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['parapet-signature']);
      const expected = createHmac('sha256', KEY).update(`${t}.${body}`).digest('hex');
      assert.ok(timingSafeEqual(Buffer.from(v1), Buffer.from(expected)));
      assert.ok(Math.abs(Date.now() / 1000 - Number(t)) < 60);
    }
    assert.equal(posts[0].headers['parapet-event-id'], posts[1].headers['parapet-event-id'], 'the same event');
    assert.equal(posts[0].body, posts[1].body);
    assert.deepEqual([JSON.parse(posts[0].body).kind, JSON.parse(posts[0].body).version], ['test', 1]);
    await page.goto(demo.url + NOTIFICATIONS);
    const html = await page.content();
    assert.ok(!html.includes(secretPath) && !html.includes(KEY));
    assert.ok(!demo.log().includes(secretPath) && !demo.log().includes(KEY));
  } finally {
    receiver.close();
  }
});

test('syslog arrives in syslog-ng over TLS', async (t) => {
  const place = join(folder, 'syslog');
  mkdirSync(place);
  const received = join(place, 'received.log');
  const port = 20_000 + (process.pid % 20_000);
  const conf = join(place, 'syslog-ng.conf');
  writeFileSync(conf, `@version: 3.38
options { keep-hostname(yes); };
source s { syslog(ip("127.0.0.1") port(${port}) transport("tls")
  tls(key-file("${join(box, 'server.key')}") cert-file("${join(box, 'server.pem')}") peer-verify(optional-untrusted))); };
destination d { file("${received}" template("$PRIORITY|$FACILITY|$HOST|$PROGRAM|$MSGID|\${.SDATA.parapet@32473.event}|$MSG\\n")); };
log { source(s); destination(d); };
`);
  const collector = spawn('/usr/sbin/syslog-ng', ['-F', '-f', conf, '--no-caps', '--persist-file', join(place, 'persist'), '--pidfile', join(place, 'pid'), '--control', join(place, 'ctl')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [collector.stdout, collector.stderr]) stream.on('data', (chunk) => { said += chunk; });
  t.after(() => collector.kill('SIGKILL'));
  await new Promise((later) => setTimeout(later, 1500));
  assert.equal(collector.exitCode, null, said);
  await add('Syslog', { Name: 'Collector', Host: '127.0.0.1', Port: String(port) });
  const line = await until('a line', () => existsSync(received) && readFileSync(received, 'utf8').trim());
  const [priority, , host, program, msgid, event, message] = line.split('|');
  assert.deepEqual([priority, host, program, msgid], ['notice', 'parapet.example.com', 'parapet', 'test']);
  assert.match(event, /^[0-9a-f-]{36}$/);
  assert.match(message, /Parapet reaches this destination/);
});

test('a link in a mail asks first, and only a POST changes anything', async () => {
  const broken = await page.request.get(`${demo.url}/unsubscribe?token=forged`);
  assert.equal(broken.status(), 404);
  const posted = await page.request.post(`${demo.url}/unsubscribe?token=forged`, { form: { 'List-Unsubscribe': 'One-Click' } });
  assert.equal(posted.status(), 404);
});
