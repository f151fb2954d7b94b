// Chromium, the ways a page is looked at, and what every page must hold.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { startDemo } from './demo.mjs';

const axeSource = createRequire(import.meta.url)('axe-core').source;

/** The ways in which pages are looked at. */
export const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  narrow: { colorScheme: 'light', viewport: { width: 360, height: 780 } },
};

export function launch() {
  const executablePath = process.env.PARAPET_TEST_CHROMIUM;
  assert.ok(executablePath, 'PARAPET_TEST_CHROMIUM names no browser; run the tests with `cargo xtask browser`');
  return chromium.launch({
    executablePath, headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page in a fresh profile; everything that goes wrong in it is collected in `page.troubles`. */
export async function open(browser, look, options = {}) {
  const context = await browser.newContext({ ...LOOKS[look], locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(`script error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') page.troubles.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A stream of changes is cut when its page is left, and a file that is saved ends its page load.
    if (!/ERR_ABORTED/.test(request.failure()?.errorText ?? '')) page.troubles.push(`${request.url()}: ${request.failure()?.errorText}`);
  });
  return page;
}

/** A demo of its own, a browser, and a page of somebody who has signed in; `leave` ends them. */
export async function enter() {
  const demo = await startDemo();
  let browser;
  try {
    browser = await launch();
    const page = await open(browser, 'light');
    await signIn(page, demo);
    return { demo, browser, page };
  } catch (error) {
    await leave({ browser, demo });
    throw error;
  }
}

export async function leave({ browser, demo }) {
  await browser?.close();
  await demo?.stop();
}

export async function signIn(page, demo) {
  await page.goto(`${demo.url}/`);
  await page.getByLabel('Name').fill(demo.operator);
  await page.getByLabel('Password').fill(demo.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Applications' }).waitFor();
}

/** Fails on any violation that axe calls serious or critical, naming the rule and the elements. */
export async function assertAccessible(page, where) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(globalThis.document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  assert.deepEqual(grave, [], `${where}: axe found serious violations`);
}

/** Fails where the page is wider than the window: somebody on a telephone would have to push it about. */
export async function assertFits(page, where) {
  const { content, window } = await page.evaluate(() => ({
    content: globalThis.document.documentElement.scrollWidth, window: globalThis.innerWidth,
  }));
  assert.ok(content <= window, `${where}: ${content} px wide in a window of ${window} px`);
}

/** Fails on script errors, failed requests and refused content. */
export function assertQuiet(page, where) {
  assert.deepEqual(page.troubles, [], `${where}: the browser complained`);
}
