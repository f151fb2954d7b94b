// The health of scans as people see it: from the tile to the gear, and one application through Up, Unhealthy, Down,
// Reauthenticate, Scanning and Up again.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertAccessible, assertQuiet, enter, leave, open, signIn } from './lib/browser.mjs';

const SCANS = { config: 'Config Scan', accounts: 'Risky Account Scan', plugins: '3rd Party Plugins Scan' };

let demo;
let browser;
let page;
before(async () => { ({ demo, browser, page } = await enter()); });
after(() => leave({ browser, demo }));

const tile = (name) => page.getByRole('article').filter({ has: page.getByRole('heading', { name, exact: true }) });
const tileStatus = async (name) => (await tile(name).locator('.tile-status .status-word').innerText()).trim();
const card = (kind) => page.locator(`#scan-${kind}`);
const scanStatus = async (kind) => (await card(kind).locator('.scan-status .status-word').innerText()).trim();
const runs = (kind) => card(kind).locator('.log li.run').count();
const settingsOf = (instance) => page.goto(demo.url + instance.settings);

/** Steers the simulated tenant. */
async function simulate(tenant, action) {
  const answer = await fetch(`${demo.simulator}/control/${tenant}/${action}`, { method: 'POST' });
  assert.equal(answer.status, 200, `simulator: ${tenant} ${action}: ${await answer.text()}`);
}

/** Waits for something that the page shows by itself, without a reload. */
async function shown(what, condition, seconds = 30) {
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    if (await condition()) return;
    await page.waitForTimeout(200);
  }
  assert.fail(`the page did not show ${what} within ${seconds} s`);
}

/** Presses Scan now and waits until one more run of that scan has finished. */
async function scanNow(kind) {
  const had = await runs(kind);
  await card(kind).getByRole('button', { name: /^Scan now/ }).click();
  await shown(`a finished run of ${SCANS[kind]}`, async () => (await runs(kind)) > had);
}

/** The application that the story is told with, and the addresses of its pages. */
async function subject(name) {
  const facts = demo.instances.find((instance) => instance.name === name);
  await page.goto(`${demo.url}/applications`);
  const address = await tile(name).getByRole('link', { name: /View Details/ }).getAttribute('href');
  return { ...facts, address, settings: `${address}/settings` };
}

test('the demo shows one application Up, one Unhealthy, one Down and one with a scan that is not enabled', async () => {
  await page.goto(`${demo.url}/applications`);
  assert.equal(await tileStatus('Acme engineering'), 'Up');
  assert.equal(await tileStatus('Acme directory'), 'Down');
  const words = await page.locator('.tile-status .status-word').allInnerTexts();
  assert.ok(words.some((word) => word.trim() === 'Unhealthy'), `no tile is Unhealthy: ${words}`);
  const openSource = await subject('Acme open source');
  await settingsOf(openSource);
  const statuses = await Promise.all(Object.keys(SCANS).map(scanStatus));
  assert.ok(statuses.includes('Not enabled'), `every scan of Acme open source is enabled: ${statuses}`);
});

test('the status stands upper left on the tile, the gear upper right on the application', async () => {
  await page.goto(`${demo.url}/applications`);
  const outer = await tile('Acme engineering').boundingBox();
  const status = await tile('Acme engineering').locator('.tile-status').boundingBox();
  assert.ok(status.x - outer.x < outer.width / 4 && status.y - outer.y < outer.height / 4, 'the status is not in the upper left');
  await tile('Acme engineering').getByRole('link', { name: 'View Details of Acme engineering' }).click();
  await page.getByRole('heading', { level: 1, name: 'Acme engineering' }).waitFor();
  const gear = page.getByRole('link', { name: 'Settings' });
  const box = await gear.boundingBox();
  const content = await page.locator('main').boundingBox();
  assert.ok(box.x > content.x + content.width * 0.7 && box.y < content.y + 250, 'the gear is not in the upper right');
  await gear.click();
  for (const [kind, title] of Object.entries(SCANS)) {
    assert.equal(await card(kind).getByRole('heading', { name: title }).count(), 1, title);
    assert.ok(['Up', 'Unhealthy', 'Down', 'Scanning', 'Not enabled'].includes(await scanStatus(kind)), `${title} has no status`);
  }
});

test('Up, Unhealthy, Down, Reauthenticate, Scanning, Up', async (t) => {
  const acme = await subject('Acme engineering');
  const failures = {};

  await t.test('one failed scan: it reads Unhealthy, and so does the application', async () => {
    await settingsOf(acme);
    for (const kind of Object.keys(SCANS)) {
      assert.equal(await scanStatus(kind), 'Up', SCANS[kind]);
      failures[kind] = await runs(kind);
    }
    await simulate('acme', 'revoke');
    await scanNow('config');
    assert.equal(await scanStatus('config'), 'Unhealthy');
    assert.match(await card('config').innerText(), /credential|refused|401/i);
    await page.goto(`${demo.url}/applications`);
    assert.equal(await tileStatus('Acme engineering'), 'Unhealthy');
  });

  await t.test('three failures in a row: Down, with Reauthenticate as the way out', async () => {
    await settingsOf(acme);
    await scanNow('config');
    assert.equal(await scanStatus('config'), 'Unhealthy');
    await scanNow('config');
    assert.equal(await scanStatus('config'), 'Down');
    assert.ok(await card('config').getByRole('link', { name: 'Reauthenticate' }).count() > 0, 'no Reauthenticate beside a scan that is Down for credentials');
  });

  await t.test('every enabled scan failed at its latest run: the application is Down', async () => {
    for (const kind of ['accounts', 'plugins']) if (await scanStatus(kind) === 'Up') await scanNow(kind);
    await page.goto(`${demo.url}/applications`);
    assert.equal(await tileStatus('Acme engineering'), 'Down');
  });

  const enter = async (credential) => {
    await page.goto(`${demo.url}${acme.address}/reauthenticate?auth=${credential.auth}`);
    for (const [field, value] of Object.entries(credential.values)) {
      await page.locator(`form[method=post] [name$="${field}"]`).fill(value);
    }
    await page.getByRole('button', { name: 'Verify' }).click();
  };

  await t.test('a credential of another tenant is refused, naming both', async () => {
    await enter(acme.foreign);
    const refusal = page.getByRole('alert');
    await refusal.waitFor();
    assert.match(await refusal.innerText(), /acme/i);
    // Chromium reports a refused form as a failed load; this one is wanted, any other is not.
    assert.match(page.troubles.pop() ?? '', /status of 422/);
    await page.goto(`${demo.url}/applications`);
    assert.equal(await tileStatus('Acme engineering'), 'Down', 'a refused credential changed something');
  });

  await t.test('a good credential is verified, replaces the old one, and every scan runs at once', async () => {
    await simulate('acme', 'latency?ms=150');
    await enter(acme.replacement);
    await page.getByRole('heading', { level: 1, name: /Verified/ }).waitFor();
    await page.getByRole('button', { name: 'Replace the credential' }).click();
    await settingsOf(acme);
    await shown('Scanning', async () => (await Promise.all(Object.keys(SCANS).map(scanStatus))).includes('Scanning'));
    await simulate('acme', 'latency?ms=0');
    await shown('every scan Up', async () => (await Promise.all(Object.keys(SCANS).map(scanStatus))).every((word) => word === 'Up'), 60);
    await page.goto(`${demo.url}/applications`);
    assert.equal(await tileStatus('Acme engineering'), 'Up');
  });

  await t.test('the history is kept', async () => {
    await settingsOf(acme);
    assert.ok(await runs('config') >= failures.config + 4, 'runs are missing from the log');
    await page.goto(`${demo.url}${acme.address}/history`);
    assert.match(await page.locator('main').innerText(), /failed/i);
  });

  await t.test('the bar tells today, by sight, by pointer and by keyboard', async () => {
    const bars = page.locator('svg.health-bar');
    const title = (bar) => bar.locator('rect').last().locator('title').textContent();
    assert.equal(await bars.count(), 1 + Object.keys(SCANS).length, 'one bar for the application and one for each scan');
    const config = page.getByRole('figure').filter({ has: page.getByRole('img', { name: /^Config Scan, last/ }) }).first();
    // What the pointer is told over today's cell. Its worst was Down, which reads without colour, too.
    const today = await title(config.locator('svg.health-bar'));
    assert.match(today, /^\d{4}-\d{2}-\d{2}: Down; .*failed/);
    const cell = config.locator('rect').last();
    const [bar, drawn] = [await config.locator('svg').boundingBox(), await cell.boundingBox()];
    assert.ok(drawn.height > 3 && drawn.height < bar.height * 0.6, 'a day that is Down fills the bar like one that is Up');
    assert.ok(drawn.width >= 3, 'a day is too narrow to point at');
    // The same by keyboard, as a table.
    const summary = config.locator('summary');
    await summary.focus();
    const outline = await summary.evaluate((it) => globalThis.getComputedStyle(it).outlineStyle);
    assert.notEqual(outline, 'none', 'nothing shows where the keyboard is');
    await page.keyboard.press('Enter');
    const rows = config.getByRole('row');
    await rows.first().waitFor();
    const first = await rows.nth(1).innerText();
    assert.match(`${first} ${await rows.last().innerText()}`, /Down/);
    await assertAccessible(page, 'History with an open table');
  });

  await t.test('availability is a share of time, and lower for what was Down', async () => {
    const facts = await page.locator('dl.facts div').filter({ hasText: /^Up, last/ }).allInnerTexts();
    assert.ok(facts.length >= 2, `${facts}`);
    for (const fact of facts) {
      const share = Number(/([\d.]+) %/.exec(fact)?.[1]);
      assert.ok(share > 0 && share < 100, `an application that was Down today: ${fact}`);
    }
  });

  await t.test('the run log is saved as it is listed', async () => {
    const listed = Number((await page.locator('.row-count').innerText()).replace(/\D/g, ''));
    for (const [name, count] of [['CSV', (text) => text.trim().split('\n').length - 1], ['JSON', (text) => JSON.parse(text).length]]) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name, exact: true }).click()]);
      const text = await readFile(await download.path(), 'utf8');
      assert.equal(count(text), listed, `${name}: ${text.slice(0, 300)}`);
      assert.match(text, /failed/);
    }
  });
});

test('Scan now and Cancel work without script', async () => {
  const plain = await open(browser, 'light', { javaScriptEnabled: false });
  await signIn(plain, demo);
  const acme = await subject('Acme engineering');
  await simulate('acme', 'latency?ms=2000');
  await plain.goto(demo.url + acme.settings);
  await plain.locator('#scan-config').getByRole('button', { name: /Scan now/ }).click();
  const cancel = plain.locator('#scan-config').getByRole('button', { name: /Cancel/ });
  for (let i = 0; i < 20 && !(await cancel.count()); i += 1) {
    await plain.waitForTimeout(250);
    await plain.goto(demo.url + acme.settings);
  }
  await cancel.click();
  await simulate('acme', 'latency?ms=0');
  for (let i = 0; i < 40 && await plain.locator('#scan-config').getByRole('button', { name: /Cancel/ }).count(); i += 1) {
    await plain.waitForTimeout(250);
    await plain.goto(demo.url + acme.settings);
  }
  assert.equal((await plain.locator('#scan-config .scan-status .status-word').innerText()).trim(), 'Up', 'a cancelled run counts as nothing');
  await plain.context().close();
});

test('nothing went wrong in the browser', () => assertQuiet(page, 'the whole story'));
