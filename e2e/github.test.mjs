// A scan of the GitHub emulator (written by somebody else; REST only, App signatures verified) with the real command.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { startPeer } from './lib/peer.mjs';
import { refusedScan, scan } from './lib/scan.mjs';

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
const tallies = () => ran.report.scans.flatMap(({ tallies: all = [] }) => all);
const names = (list) => [...list].sort();

test('members are read by the REST fallback, with the roles of the seed file', () => {
  const { accounts } = scanOf(ran.report, 'accounts');
  assert.deepEqual(names(accounts.records.map(({ username }) => username)), names(organisation.members.map(({ login }) => login)));
  for (const { login, role } of organisation.members) {
    const account = accounts.records.find(({ username }) => username === login);
    assert.equal(account.role, role === 'admin' ? 'owner' : 'member', login);
    assert.equal(account.privileged, role === 'admin', login);
  }
  assert.equal(accounts.complete, false, 'outside collaborators were not read, so these are not all accounts');
});

test('webhooks match the seed file by address', () => {
  const { plugins } = scanOf(ran.report, 'plugins');
  const wanted = seed.then.filter(({ method, path }) => method === 'POST' && path === `/orgs/${github.org}/hooks`)
    .map(({ body }) => new URL(body.config.url).host);
  assert.equal(wanted.length, 2);
  const found = plugins.records.map((plugin) => JSON.stringify(plugin));
  for (const host of wanted) assert.ok(found.some((text) => text.includes(host)), `no plugin shows the webhook to ${host}`);
});

test('of two webhooks one fails the check for transport security, by its id', () => {
  const tally = tallies().find(({ check }) => check === 'github/org-hook-tls');
  assert.deepEqual([tally.pass, tally.fail], [1, 1]);
});

test('what the emulator lacks is named with its reason, and nothing passes on it', () => {
  // The settings that the emulator does serve: base permission, owners, one sound webhook, one fresh secret.
  const passing = tallies().filter((tally) => tally.pass > 0).map(({ check, pass }) => `${check} ${pass}`);
  assert.deepEqual(names(passing), ['github/base-permission 1', 'github/org-hook-tls 1', 'github/owner-count 1', 'github/secrets-rotated 1']);
  const undecided = tallies().filter((tally) => tally.inconclusive + tally.not_applicable > 0);
  assert.ok(undecided.length > 60, `only ${undecided.length} checks are undecided on a server that lacks most settings`);
  for (const tally of undecided) assert.ok(tally.reason?.length > 20, `${tally.check} is undecided without a reason`);
  for (const tally of tallies()) {
    assert.ok(tally.pass + tally.fail + tally.inconclusive + tally.not_applicable > 0, `${tally.check} counts nothing`);
  }
  const gaps = ran.report.scans.flatMap((found) => found.gaps ?? []);
  const named = gaps.map(({ dataset }) => dataset);
  for (const dataset of ['rulesets', 'actions_policy', 'repositories', 'outside_collaborators', 'installations']) {
    assert.ok(named.includes(dataset), `${dataset} is not named as unread`);
  }
  for (const gap of gaps) assert.ok(gap.reason?.length > 20, `the gap ${gap.dataset} has no reason`);
});

test('the second factor is unknown here, never failed and never passed', () => {
  // The emulator ignores the filter 2fa_disabled: the filtered answer equals the unfiltered one.
  const about = tallies().filter(({ check }) => /2fa|second-factor|two-factor/.test(check));
  assert.ok(about.length > 0, 'no check asks about a second factor');
  for (const tally of about) {
    assert.equal(tally.pass + tally.fail, 0, `${tally.check}: ${JSON.stringify(tally)}`);
    assert.ok(tally.inconclusive > 0, `${tally.check} is silent`);
  }
});

test('outcomes: settings in part, accounts succeeded, plugins failed, and the exit code says so', () => {
  const outcomes = Object.fromEntries(ran.report.scans.map(({ kind, outcome, cause }) => [kind, `${outcome} ${cause ?? ''}`.trim()]));
  assert.deepEqual(outcomes, { config: 'partial permission', accounts: 'succeeded', plugins: 'failed permission' });
  assert.equal(ran.code, 3, ran.stderr);
});

test('a key of another pair is refused as a matter of credentials', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const refused = await refusedScan('github', ['--set', `organization=${github.org}`, '--auth', 'app', '--address', github.url], {
    app_id: github.app_id, private_key: privateKey,
  });
  assert.equal(refused.code, 3);
  assert.match(refused.said, /does not accept the credential/);
  assert.match(refused.said, /access_tokens, status 401/);
});

test('no secret is printed', () => {
  const inside = github.private_key.split('\n')[3];
  for (const secret of [inside, 'planted-hook-secret', 'ghs_']) {
    assert.ok(!ran.stdout.includes(secret) && !ran.stderr.includes(secret), `the output holds ${secret.slice(0, 8)}...`);
  }
});
