// A `parapet serve` of its own: configuration, key, database and first operator in a folder that is thrown away.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const OPERATOR = { name: 'warden', password: 'twelve-and-more-letters' };

/**
 * Starts the server, which may reach applications on this machine over plain http, with further folders of applications. Returns `url`, `token` (the one-time
 * token of the first start), `operator`, `log()`, `files()` (all it has written) and `stop()`.
 */
export async function startServer({ catalog = [] } = {}) {
  const server = process.env.PARAPET_TEST_SERVER;
  if (!server) throw new Error('PARAPET_TEST_SERVER names no server; run the tests with `cargo xtask browser`');
  const folder = await mkdtemp(join(tmpdir(), 'parapet-serve-'));
  const config = join(folder, 'parapet.toml');
  await writeFile(config, `catalog = ${JSON.stringify(catalog)}\n\n[outbound]\nallow_loopback_http = true\n`);
  const options = { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, TMPDIR: folder } };
  await promisify(execFile)(server, ['key', 'new', 'parapet.key'], options);
  const child = spawn(server, ['serve', '--config', config, '--listen', '127.0.0.1:0'], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { said = (said + chunk).slice(-200_000); });
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  const told = /Open (http:\S+)\/set-up[\s\S]*?\n\s*\n\s+(\S+)\s*\n/;
  for (let i = 0; !told.test(said); i += 1) {
    const ended = await Promise.race([exited, new Promise((later) => setTimeout(later, 100))]);
    if (ended !== undefined || i === 600) throw new Error(`the server did not start (${ended ?? 'silent for 60 s'})\n${said}`);
  }
  const [, url, token] = told.exec(said);
  return {
    url, token, operator: OPERATOR,
    log: () => said,
    async files() {
      const names = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = names.filter((entry) => entry.isFile() && entry.name !== 'parapet.key').map((entry) => join(entry.parentPath, entry.name));
      return Promise.all(files.map(async (name) => ({ name, bytes: await readFile(name) })));
    },
    async stop() {
      child.kill('SIGTERM');
      const code = await Promise.race([exited, new Promise((later) => setTimeout(() => later('still running after 20 s'), 20_000).unref())]);
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the server ended with ${code}\n${said}`);
    },
  };
}

/** Makes the first operator with the one-time token; the page is signed in afterwards. */
export async function setUp(page, server) {
  await page.goto(`${server.url}/set-up`);
  await page.getByLabel('One-time token').fill(server.token);
  await page.getByLabel('Name').fill(server.operator.name);
  await page.getByLabel('Password', { exact: true }).fill(server.operator.password);
  await page.getByLabel('Password again').fill(server.operator.password);
  await page.getByRole('button', { name: 'Set up and sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Applications' }).waitFor();
}
