// What holds on every page: no serious accessibility violation in light, dark and narrow; nothing wider than a telephone;
// a quiet browser; one main heading; and the same content where script does not run.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible, assertFits, assertQuiet, launch, LOOKS, open, signIn } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { allPages } from './lib/pages.mjs';

let demo;
let browser;
before(async () => {
  demo = await startDemo();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

for (const look of Object.keys(LOOKS)) {
  test(`sign-in, ${look}`, async () => {
    const page = await open(browser, look);
    await page.goto(`${demo.url}/sign-in`);
    await assertAccessible(page, 'sign-in');
    await assertFits(page, 'sign-in');
    assertQuiet(page, 'sign-in');
    await page.context().close();
  });

  test(`every page, ${look}`, async (t) => {
    const page = await open(browser, look);
    await signIn(page, demo);
    for (const { name, path } of await allPages(page, demo)) {
      await t.test(name, async () => {
        page.troubles.length = 0;
        const answer = await page.goto(demo.url + path);
        assert.equal(answer.status(), 200, path);
        assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1, `${path}: one main heading`);
        await assertAccessible(page, path);
        await assertFits(page, path);
        assertQuiet(page, path);
      });
    }
    await page.context().close();
  });
}

test('every page says the same without script', async (t) => {
  const scripted = await open(browser, 'light');
  const plain = await open(browser, 'light', { javaScriptEnabled: false });
  await signIn(scripted, demo);
  await signIn(plain, demo);
  for (const { name, path } of await allPages(scripted, demo)) {
    await t.test(name, async () => {
      await scripted.goto(demo.url + path);
      await plain.goto(demo.url + path);
      const heading = (page) => page.getByRole('heading', { level: 1 }).innerText();
      assert.equal(await heading(plain), await heading(scripted));
      const controls = async (page) => (await page.locator('main').locator('a[href], button, summary').count());
      assert.equal(await controls(plain), await controls(scripted), `${path}: the same links and buttons`);
    });
  }
});

test('a page that does not exist says so, with a way back', async () => {
  const page = await open(browser, 'light');
  await signIn(page, demo);
  page.troubles.length = 0;
  const answer = await page.goto(`${demo.url}/applications/no-such-application`);
  assert.equal(answer.status(), 404);
  await assertAccessible(page, '404');
  assert.ok(await page.getByRole('link', { name: /applications/i }).count() > 0);
  await page.context().close();
});

test('nobody who has not signed in sees a page', async () => {
  const page = await open(browser, 'light');
  await page.goto(`${demo.url}/findings`);
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  for (const path of ['/findings.csv', '/accounts.json', '/events']) {
    const answer = await page.request.get(demo.url + path, { maxRedirects: 0 });
    assert.ok([302, 303, 401, 403].includes(answer.status()), `${path} answered ${answer.status()} without a session`);
  }
  await page.context().close();
});

test('every page can be used by keyboard alone', async () => {
  const page = await open(browser, 'light');
  await signIn(page, demo);
  await page.goto(`${demo.url}/applications`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => globalThis.document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  const seen = [];
  for (let i = 0; i < 40; i += 1) {
    await page.keyboard.press('Tab');
    const { text, outlined } = await page.evaluate(() => {
      const element = globalThis.document.activeElement;
      const style = globalThis.getComputedStyle(element);
      return { text: element.textContent.trim(), outlined: style.outlineStyle !== 'none' || style.boxShadow !== 'none' };
    });
    seen.push(text);
    assert.ok(outlined, `'${text}' shows no focus`);
    if (/^View Details/.test(text)) break;
  }
  assert.ok(seen.some((text) => /^View Details/.test(text)), `Tab never reached View Details: ${seen.join(' | ')}`);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Settings' }).waitFor();
  await page.context().close();
});
