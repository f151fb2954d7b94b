// Starting a peer (a server somebody else wrote) from a test; see peers/peer.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const launcher = join(dirname(fileURLToPath(import.meta.url)), '..', 'peers', 'peer');

/** Starts a peer and returns what it printed, with `stop()` and `signal(name)`. */
export async function startPeer(...args) {
  const child = spawn(launcher, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-20_000); });
  const exited = new Promise((resolve) => child.on('exit', resolve));
  const line = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    exited.then((code) => reject(new Error(`peer ${args[0]} ended with ${code}\n${log}`)));
  });
  return {
    ...JSON.parse(line),
    signal: (name) => child.kill(name),
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
