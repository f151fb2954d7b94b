// A whole scan of a simulated organisation, sent through GitHub's own descriptions: every REST request is compared with
// its OpenAPI description by Prism, every GraphQL document with its schema.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDemo } from './lib/demo.mjs';
import { startPeer } from './lib/peer.mjs';
import { scan } from './lib/scan.mjs';

let demo;
before(async () => { demo = await startDemo(); });
after(() => demo?.stop());

for (const way of ['credential', 'replacement']) {
  test(`github: no request violates its description, signed in by ${way === 'credential' ? 'token' : 'app'}`, async () => {
    const acme = demo.instances.find(({ name }) => name === 'Acme engineering');
    const peer = await startPeer('contract', '--upstream', acme.address);
    try {
      const { auth, values } = acme[way];
      const settings = Object.entries(acme.settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
      const { code, report } = await scan('github', [...settings, '--auth', auth, '--address', peer.url], values);
      const { requests } = await (await fetch(peer.report_url)).json();
      assert.ok(requests.length > 30, `only ${requests.length} requests went through`);
      assert.ok(requests.filter(({ path }) => path.endsWith('/graphql')).length >= 8, 'hardly any GraphQL went through');
      const violations = requests.flatMap(({ method, path, request_violations: found }) =>
        found.map(({ at, message }) => `${method} ${path}: ${at.join('.')} ${message}`));
      assert.deepEqual([...new Set(violations)], []);
      // A proxy in between must change nothing about what is read.
      assert.equal(code, 0, JSON.stringify(report.scans.map(({ kind, outcome, detail }) => ({ kind, outcome, detail }))));
    } finally {
      await peer.stop();
    }
  });
}
