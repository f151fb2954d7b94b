// A `parapet demo` of its own for each test file: a free port, a folder that is thrown away, one line of facts.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_SECONDS = 90;

/**
 * Starts the demo and waits until its pages answer. Returns what it printed: `url`, `operator`, `password`,
 * `simulator`, `instances`; and `stop()`, which ends it and fails if it did not end in order.
 */
export async function startDemo(...args) {
  const server = process.env.PARAPET_TEST_SERVER;
  if (!server) throw new Error('PARAPET_TEST_SERVER names no server; run the tests with `cargo xtask browser`');
  const folder = await mkdtemp(join(tmpdir(), 'parapet-demo-'));
  const child = spawn(server, ['demo', '--listen', '127.0.0.1:0', '--json', ...args], {
    cwd: folder, env: { ...process.env, HOME: folder, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-50_000); });
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  const facts = await firstLine(child, exited, () => log);
  return {
    ...facts,
    /** Everything the demo writes lies below this folder. */
    folder,
    /** What the server wrote to its log so far. */
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      const code = await Promise.race([exited, after(20_000).then(() => 'still running after 20 s')]);
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the demo ended with ${code}\n${log}`);
    },
  };
}

async function firstLine(child, exited, log) {
  let text = '';
  const line = new Promise((resolve) => {
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
  const first = await Promise.race([
    line, exited.then((code) => new Error(`ended with ${code}`)), after(START_SECONDS * 1000).then(() => new Error(`silent for ${START_SECONDS} s`)),
  ]);
  if (first instanceof Error) {
    child.kill('SIGKILL');
    throw new Error(`the demo did not start: ${first.message}\n${text}${log()}`);
  }
  return JSON.parse(first);
}

function after(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
