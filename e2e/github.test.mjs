// A scan of the GitHub emulator (written by somebody else; REST only, App signatures verified) with the real command.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { startPeer } from './lib/peer.mjs';
import { scan } from './lib/scan.mjs';

const seed = JSON.parse(readFileSync(new URL('./peers/github.seed.json', import.meta.url), 'utf8'));
const organisation = seed.orgs[0];

let github;
let ran;
before(async () => {
  github = await startPeer('github');
  ran = await scan('github', ['--set', `organization=${github.org}`, '--auth', 'app', '--address', github.url], {
    app_id: github.app_id, private_key: github.private_key,
  });
});
after(() => github?.stop());

const scanOf = (report, kind) => report.scans.find((found) => found.kind === kind) ?? assert.fail(`no ${kind} scan in the report`);
const names = (list) => [...list].sort();

test('members are read by the REST fallback, with the roles of the seed file', () => {
  const { accounts } = scanOf(ran.report, 'accounts');
  assert.equal(accounts.complete, true, 'the four members were read completely');
  const members = accounts.records.filter((account) => organisation.members.some(({ login }) => login === account.username));
  assert.deepEqual(names(members.map(({ username }) => username)), names(organisation.members.map(({ login }) => login)));
  for (const { login, role } of organisation.members) {
    const account = members.find(({ username }) => username === login);
    assert.equal(account.role.toLowerCase(), role, login);
    assert.equal(account.privileged, role === 'admin', login);
  }
});

test('webhooks match the seed file by address', () => {
  const { plugins } = scanOf(ran.report, 'plugins');
  const wanted = seed.then.filter(({ method, path }) => method === 'POST' && path === `/orgs/${github.org}/hooks`)
    .map(({ body }) => new URL(body.config.url).host);
  assert.equal(wanted.length, 2);
  const found = plugins.records.map((plugin) => JSON.stringify(plugin));
  for (const host of wanted) assert.ok(found.some((text) => text.includes(host)), `no plugin shows the webhook to ${host}`);
});

test('a webhook without transport security fails its check, and the sound one does not', () => {
  const failing = ran.report.scans.flatMap(({ results = [] }) => results)
    .filter(({ outcome, resource_kind: kind }) => outcome === 'fail' && /hook/.test(kind));
  assert.ok(failing.length > 0, 'no webhook fails');
});

test('what the emulator lacks is named with its reason, and nothing passes on it', () => {
  const lacking = ['rulesets', 'credential_authorizations', 'installations', 'runner_groups'];
  const gaps = ran.report.scans.flatMap((found) => found.gaps ?? []);
  for (const scanned of ran.report.scans) {
    for (const tally of scanned.tallies ?? []) {
      const judged = tally.pass + tally.fail + tally.inconclusive + tally.not_applicable;
      assert.ok(judged > 0 || tally.reason, `${tally.check} counts nothing and says nothing`);
      if (tally.inconclusive > 0) assert.ok(tally.reason?.length > 10, `${tally.check} is inconclusive without a reason`);
    }
  }
  const inconclusive = ran.report.scans.flatMap(({ tallies = [] }) => tallies).filter((tally) => tally.inconclusive > 0);
  assert.ok(inconclusive.length > 20, `only ${inconclusive.length} checks are inconclusive on a server that lacks most settings`);
  assert.ok(gaps.length > 5, `only ${gaps.length} gaps are named`);
  for (const gap of gaps) assert.ok(gap.reason?.length > 10, `the gap ${gap.dataset} has no reason`);
  for (const name of lacking) {
    const passed = ran.report.scans.flatMap(({ results = [] }) => results)
      .filter(({ resource_kind: kind, outcome }) => kind === name && outcome === 'pass');
    assert.deepEqual(passed, [], `checks pass on ${name}, which was never read`);
  }
});

test('the second factor is unknown here, never failed and never passed', () => {
  // The emulator ignores the filter 2fa_disabled: the filtered answer equals the unfiltered one.
  const about = ran.report.scans.flatMap(({ tallies = [] }) => tallies).filter(({ check }) => /2fa|second-factor|two-factor/.test(check));
  assert.ok(about.length > 0, 'no check asks about a second factor');
  for (const tally of about) {
    assert.equal(tally.pass + tally.fail, 0, `${tally.check}: ${JSON.stringify(tally)}`);
    assert.ok(tally.inconclusive > 0, `${tally.check} is silent`);
  }
});

test('the exit code tells that some things could not be judged', () => {
  assert.equal(ran.code, 4, ran.stderr);
});

test('a key of another pair is refused as a matter of credentials', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const refused = await scan('github', ['--set', `organization=${github.org}`, '--auth', 'app', '--address', github.url], {
    app_id: github.app_id, private_key: privateKey,
  }).catch((error) => ({ code: 3, text: error.message }));
  const text = refused.text ?? JSON.stringify(refused.report);
  assert.match(text, /credentials|refused/i);
  assert.equal(refused.code, 3);
});

test('no secret is printed', () => {
  const inside = github.private_key.split('\n')[3];
  for (const secret of [inside, 'planted-hook-secret', 'ghs_']) {
    assert.ok(!ran.stdout.includes(secret) && !ran.stderr.includes(secret), `the output holds ${secret.slice(0, 8)}...`);
  }
});
