// Writes the pictures of the documentation: the first window of every page, light, dark and narrow, from the demo.
//   cargo xtask screenshots
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, LOOKS, open, signIn } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { allPages } from './lib/pages.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'screenshots');
await mkdir(folder, { recursive: true });
const demo = await startDemo();
const browser = await launch();
try {
  for (const look of Object.keys(LOOKS)) {
    const page = await open(browser, look);
    await page.goto(`${demo.url}/sign-in`);
    await page.screenshot({ path: join(folder, `sign-in-${look}.png`) });
    await signIn(page, demo);
    for (const { name, path } of await allPages(page, demo)) {
      await page.goto(demo.url + path);
      await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
      process.stdout.write(`${name}-${look}.png\n`);
    }
    // The mail itself, whole, as a mail program that knows dark shows it.
    await page.goto(`${demo.url}/settings/notifications/digest.html`);
    await page.screenshot({ path: join(folder, `digest-mail-${look}.png`), fullPage: true });
    process.stdout.write(`digest-mail-${look}.png\n`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await demo.stop();
}
