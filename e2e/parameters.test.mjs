// The parameters of a check for one application: set in the browser, refused where they make no sense, used by the next
// scan, told in the audit trail, and taken back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible, assertQuiet, enter, leave } from './lib/browser.mjs';

const CHECK = 'github/owner-count';
const APPLICATION = 'Acme engineering';

let demo;
let browser;
let page;
before(async () => { ({ demo, browser, page } = await enter()); });
after(() => leave({ browser, demo }));

const row = (name) => page.locator('#parameters tbody tr')
  .filter({ has: page.getByRole('link', { name: APPLICATION, exact: true }) })
  .filter({ has: page.locator('code', { hasText: new RegExp(`^${name}$`) }) });
const value = async (name) => (await row(name).locator('td').nth(1).innerText()).trim();
const toCheck = () => page.goto(`${demo.url}/checks/github/${CHECK}`);

/** Fills in the form of one parameter and sends it by the keyboard. */
async function set(name, text) {
  const field = row(name).getByRole('textbox');
  await field.fill(text);
  await Promise.all([page.waitForNavigation(), field.press('Enter')]);
}

/** The check's findings about the application after one more scan. */
async function scanned() {
  await page.goto(`${demo.url}/applications`);
  const address = await page.getByRole('article').filter({ has: page.getByRole('heading', { name: APPLICATION, exact: true }) })
    .getByRole('link', { name: /View Details/ }).getAttribute('href');
  await page.goto(`${demo.url}${address}/settings`);
  const card = page.locator('#scan-config');
  const runs = () => card.locator('.log li.run').count();
  const had = await runs();
  await card.getByRole('button', { name: /^Scan now/ }).click();
  for (let i = 0; i < 150 && (await runs()) <= had; i += 1) await page.waitForTimeout(200);
  assert.ok((await runs()) > had, 'the scan did not finish');
  await page.goto(`${demo.url}${address}/findings?check=${encodeURIComponent(CHECK)}`);
  return page.locator('main table tbody tr').allInnerTexts();
}

test('a parameter is set for one application and for no other', async () => {
  await toCheck();
  assert.match(await value('max'), /the default/);
  await set('max', '400');
  assert.equal(await value('max'), '400');
  assert.match(await row('max').innerText(), new RegExp(`by ${demo.operator}`));
  const others = await page.locator('#parameters tbody tr').filter({ hasNotText: APPLICATION }).allInnerTexts();
  assert.ok(others.length > 0 && others.every((text) => /the default/.test(text)), `${others}`);
  await assertAccessible(page, 'a check with a parameter set');
});

test('what makes no sense is refused with the reason, and nothing changes', async () => {
  await toCheck();
  page.troubles.length = 0;
  await set('max', 'many');
  assert.match(await page.locator('main').innerText(), /whole number|number/i);
  await assertAccessible(page, 'a refused parameter');
  // The refusal is an answer of its own status, which a browser's console notes.
  page.troubles.length = 0;
  await toCheck();
  assert.equal(await value('max'), '400');
});

test('the next scan judges by it, and by the default again once it is taken back', async () => {
  await toCheck();
  await set('min', '300');
  const strict = await scanned();
  assert.equal(strict.length, 1, `too few owners is one finding: ${strict}`);
  await toCheck();
  await set('min', '0');
  assert.deepEqual((await scanned()).filter((text) => !/resolved/i.test(text)), []);
  for (const name of ['min', 'max']) {
    await toCheck();
    await Promise.all([page.waitForNavigation(), row(name).getByRole('button', { name: /default/i }).click()]);
    assert.match(await value(name), /the default/);
  }
});

test('who changed what, from what, stands in the audit trail', async () => {
  await page.goto(`${demo.url}/audit`);
  const text = await page.locator('main').innerText();
  assert.match(text, /parameter/i);
  assert.match(text, new RegExp(demo.operator));
  assertQuiet(page, 'parameters');
});
