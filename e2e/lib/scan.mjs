// `parapet scan` as people run it: arguments, a credential on standard input, an exit code and JSON.
import { execFile } from 'node:child_process';

/** Runs the command; resolves to `{ code, stdout, stderr }` whatever the code. */
export function parapet(args, { input = '', env = {}, cwd } = {}) {
  const server = process.env.PARAPET_TEST_SERVER;
  if (!server) throw new Error('PARAPET_TEST_SERVER names no server; run the tests with `cargo xtask browser`');
  return new Promise((resolve) => {
    const child = execFile(server, args, {
      cwd, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env }, maxBuffer: 256 * 1024 * 1024, timeout: 120_000,
    }, (error, stdout, stderr) => resolve({ code: error ? error.code ?? error.signal : 0, stdout, stderr }));
    child.stdin.on('error', () => {}); // a command that reads no input has closed it
    child.stdin.end(input);
  });
}

function run(app, args, fields) {
  // A JSON string is a TOML string.
  const input = Object.entries(fields).map(([name, value]) => `${name} = ${JSON.stringify(String(value))}\n`).join('');
  return parapet(['scan', app, ...args, '--credential', '-', '--format', 'json'], { input });
}

/** A scan that is expected to be refused before it runs: its exit code and everything it said. */
export async function refusedScan(app, args, fields) {
  const { code, stdout, stderr } = await run(app, args, fields);
  return { code, said: stdout + stderr };
}

/** Scans and parses what was printed; `fields` are the credential's. */
export async function scan(app, args, fields) {
  const ran = await run(app, args, fields);
  let report;
  try {
    report = JSON.parse(ran.stdout);
  } catch {
    throw new Error(`the scan printed no JSON (exit code ${ran.code})\n${ran.stdout.slice(0, 2000)}\n${ran.stderr.slice(0, 5000)}`);
  }
  return { ...ran, report };
}
