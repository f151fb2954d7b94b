// What the Node peers share: options, one announcement, and an end when the parent is gone.

/** Parses `--name value` pairs; `known` lists the accepted names with their defaults (undefined: required). */
export function options(known) {
  const given = {};
  const args = process.argv.slice(2);
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    if (!args[i].startsWith('--') || !(name in known) || args[i + 1] === undefined) {
      fail(`unexpected argument '${args[i]}'; accepted: ${Object.keys(known).map((k) => `--${k} VALUE`).join(', ')}`);
    }
    given[name] = args[i + 1];
  }
  for (const [name, value] of Object.entries(known)) {
    if (given[name] === undefined && value === undefined) fail(`--${name} is required`);
  }
  return { ...known, ...given };
}

export function fail(message) {
  process.stderr.write(`peer: ${message}\n`);
  process.exit(2);
}

/** Prints the one line a test waits for, and ends the process when standard input closes. */
export function announce(facts) {
  process.stdout.write(`${JSON.stringify({ ...facts, pid: process.pid })}\n`);
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
}

/** A TCP port that was free a moment ago. */
export async function freePort() {
  const { createServer } = await import('node:net');
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
