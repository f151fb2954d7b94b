// Identity providers, exceptions and reviews, as an operator uses them: each is done in the browser and seen to hold.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { enter, leave } from './lib/browser.mjs';

let demo;
let browser;
let page;
before(async () => { ({ demo, browser, page } = await enter()); });
after(() => leave({ browser, demo }));

/** Looks at `path` until `seen` is true of it. */
async function until(path, seen, what) {
  for (let i = 0; i < 60; i += 1) {
    await page.goto(demo.url + path);
    if (await seen()) return;
    await page.waitForTimeout(1000);
  }
  assert.fail(`${path}: ${what} did not come`);
}

const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

async function except(button) {
  await page.getByLabel('Why it is accepted').fill('An auditor, until the report');
  await page.getByLabel('Approved by').fill('Bea Kim');
  await page.getByLabel('Last day').fill(day(20));
  await page.getByRole('button', { name: button }).click();
}

test('an uploaded list judges accounts, and what cannot be used of one is named by line and column', async () => {
  await page.goto(`${demo.url}/identity-providers`);
  const upload = async (text) => {
    const form = page.locator('form', { has: page.getByRole('button', { name: 'Upload', exact: true }) });
    await form.getByLabel('Name').fill('Staff');
    await form.getByLabel('File (CSV)').setInputFiles({ name: 'staff.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await form.getByRole('button', { name: 'Upload', exact: true }).click();
  };
  await upload('id,email\n1,not-an-address\n');
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /line 2, column 2/);
  await upload('id,email,display_name\n1,ann.example@example.com,Ann Example\n');
  await page.getByRole('status').waitFor();
  assert.match(await page.locator('main table').innerText(), /Staff/);
  await until('/accounts?identity=unmatched', async () => (await page.locator('main tbody tr').count()) > 0, 'an account of nobody');
});

test('an account is linked by hand', async () => {
  // Of an application whose accounts are read: where they are not, the judgement waits until they are.
  const read = page.locator('main tbody tr', { hasText: 'Acme engineering' });
  await until('/accounts?identity=unmatched&app=github', async () => (await read.count()) > 0, 'an account of nobody');
  await read.locator('th a').first().click();
  await page.locator('summary', { hasText: 'Link by hand' }).click();
  await page.getByLabel('Name or address of the person').fill('ann.example');
  await page.getByRole('button', { name: 'Look' }).click();
  await page.locator('details[open], summary:has-text("Link by hand")').first().waitFor();
  if (!(await page.getByRole('radio').first().isVisible())) {
    await page.locator('summary', { hasText: 'Link by hand' }).click();
  }
  await page.getByRole('radio').first().check();
  await page.getByLabel('How that is known').fill('asked her');
  await page.getByRole('button', { name: 'Link the account' }).click();
  await page.getByText('Linked by hand with').waitFor();
  const address = new URL(page.url()).pathname;
  await until(address, async () => (await page.locator('main').innerText()).includes('by linked by hand'), 'the judgement');
});

test('an account is known until a day', async () => {
  await page.goto(`${demo.url}/accounts?identity=unmatched&risk=risky`);
  const accounts = await page.locator('main tbody th a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  for (const href of accounts) {
    await page.goto(demo.url + href);
    if ((await page.locator('summary', { hasText: 'Known, until' }).count()) > 0) break;
  }
  await page.locator('summary', { hasText: 'Known, until' }).click();
  await except('Save exception');
  await page.getByText(/Known until/).waitFor();
});

test('a finding is excepted, listed, and open again when that is ended', async () => {
  await page.goto(`${demo.url}/findings`);
  await page.locator('main table a[href^="/findings/"]').first().click();
  await page.locator('summary', { hasText: 'Except until' }).click();
  await except('Save exception');
  await page.getByText(/Excepted until/).waitFor();
  const finding = new URL(page.url()).pathname;
  await page.goto(`${demo.url}/exceptions`);
  await page.locator(`main table a[href="${finding}"]`).waitFor();
  await page.goto(`${demo.url}/exceptions?soon=yes`);
  assert.equal(await page.locator(`main table a[href="${finding}"]`).count(), 0, 'it ends in 20 days');
  await page.goto(demo.url + finding);
  await page.getByRole('button', { name: 'End exception' }).click();
  await page.locator('summary', { hasText: 'Except until' }).waitFor();
  assert.equal(await page.getByText(/Excepted until/).count(), 0);
});

test('a plugin is reviewed', async () => {
  await page.goto(`${demo.url}/plugins`);
  await page.locator('main tbody th a').first().click();
  await page.getByLabel('State').selectOption('reviewed');
  await page.getByLabel('Note').fill('asked the team');
  await page.getByRole('button', { name: 'Save review' }).click();
  await page.getByText(': asked the team').waitFor();
  await page.goto(`${demo.url}/plugins?review=reviewed`);
  assert.ok((await page.locator('main tbody tr').count()) >= 1);
});
