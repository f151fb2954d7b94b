// Findings as OCSF, SARIF, CSV and JSON, from a scan and from the server: valid by the official schemas, read by parsers and
// matched by a viewer's matcher that others wrote, and never better news than the scans were.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startDemo } from './lib/demo.mjs';
import { parapet } from './lib/scan.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'parapet-exports-'));
let demo;
let cookie;
before(async () => {
  demo = await startDemo();
  const answer = await fetch(`${demo.url}/sign-in`, {
    method: 'POST', redirect: 'manual', body: new URLSearchParams({ name: demo.operator, password: demo.password }),
  });
  [cookie] = (answer.headers.get('set-cookie') ?? '').split(';');
  assert.match(cookie, /^parapet_session=./);
});
after(async () => {
  await demo?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Official schema and a parser that others wrote: what they say of a file. */
async function judge(kind, path, ...versions) {
  const { stdout } = await run(here('../.tools/py/bin/python'), [here('lib/exports_judge.py'), kind, path, ...versions], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

/** Microsoft's SARIF Multitool. */
function multitool(...args) {
  const tool = here('node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool');
  return run(tool, [...args, '--log', 'ForceOverwrite'], {
    cwd: folder, maxBuffer: 1 << 28, env: { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' },
  });
}

const tenant = (name) => demo.instances.find((instance) => instance.name === name);

/** Scans a simulated organisation into a file of that format. */
async function scan(name, format, { args = [], credential = tenant(name).credential, file = `${name}.${format}` } = {}) {
  const { settings, address } = tenant(name);
  const path = join(folder, file);
  const entered = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const input = Object.entries(credential.values).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('');
  const ran = await parapet(
    ['scan', tenant(name).app, ...entered, '--address', address, '--auth', credential.auth, '--credential', '-', '--format', format, '--output', path, ...args],
    { input },
  );
  return { ...ran, path, text: readFileSync(path, 'utf8') };
}

async function download(list, format) {
  const answer = await fetch(`${demo.url}/findings.${format}${list}`, { headers: { cookie } });
  assert.equal(answer.status, 200);
  const path = join(folder, `server.${format}`);
  const text = await answer.text();
  writeFileSync(path, text);
  return { path, text };
}

const events = (text) => text.split('\n').filter((line) => line).map((line) => JSON.parse(line));
const sarifRun = (text) => JSON.parse(text).runs[0];
const failed = (invocations) => invocations.filter((i) => !i.executionSuccessful);

test('a scan as SARIF is valid, fit for GitHub code scanning, and read by others', async () => {
  const { path, text, code } = await scan('Acme open source', 'sarif');
  assert.equal(code, 4, 'a scan is not enabled');
  const verdict = await judge('sarif', path);
  assert.deepEqual(verdict.complaints, []);
  assert.deepEqual(verdict.tools, ['Parapet']);
  const { results } = sarifRun(text);
  assert.ok(results.length > 20, `${results.length} results`);
  assert.equal(verdict.results, results.length);
  assert.equal(verdict.errors, results.filter(({ level }) => level === 'error').length);
  assert.deepEqual(new Set(results.map(({ kind }) => kind)), new Set(['pass', 'fail', 'open', 'notApplicable']));

  const { stdout } = await multitool('validate', path, '--rule-kind', 'Sarif;Ghas', '--output', join(folder, 'verdict.sarif'));
  // It asks for the address of a home page on the web, which a server of one's own need not have.
  const rules = (stdout.match(/(error|warning) [A-Z]+\d+/g) ?? []).filter((rule) => !rule.endsWith('SARIF2005'));
  assert.deepEqual([...new Set(rules)], [], stdout.slice(0, 3000));
  assert.match(stdout, /Analysis completed successfully/);
});

test('a scan as OCSF is valid in the version it names and in later ones', async () => {
  const { path, text } = await scan('Acme open source', 'ocsf');
  const verdict = await judge('ocsf', path, '1.5.0', '1.6.0', '1.7.0', '1.8.0');
  assert.deepEqual(verdict.complaints, []);
  assert.deepEqual(verdict.versions, ['1.5.0']);
  const all = events(text);
  assert.equal(verdict.events, all.length);
  const statuses = Object.groupBy(all, (event) => event.compliance.status);
  assert.deepEqual(new Set(Object.keys(statuses)), new Set(['Unknown', 'Pass', 'Warning', 'Fail', 'Not applicable']));
  assert.deepEqual(statuses.Unknown.map(({ unmapped }) => [unmapped.scan, unmapped.outcome]), [['accounts', 'not_enabled']]);
});

test('a second scan without a change has the same identities, and a matcher of others finds nothing new', async () => {
  const args = ['--kind', 'config'];
  const first = await scan('Acme Okta', 'sarif', { args, file: 'first.sarif' });
  const second = await scan('Acme Okta', 'sarif', { args, file: 'second.sarif' });
  const identities = ({ text }) => sarifRun(text).results.map(({ guid, partialFingerprints }) => `${guid} ${partialFingerprints.primaryLocationLineHash}`).sort();
  assert.deepEqual(identities(second), identities(first));
  assert.equal(new Set(identities(first)).size, identities(first).length, 'two results share an identity');
  await multitool('match-results-forward', second.path, '--previous', first.path, '--output-file-path', join(folder, 'matched.sarif'));
  const matched = sarifRun(readFileSync(join(folder, 'matched.sarif'), 'utf8').replace(/^\uFEFF/, '')).results;
  assert.deepEqual([...new Set(matched.map(({ baselineState }) => baselineState))], ['unchanged']);

  const ocsf = async () => events((await scan('Acme Okta', 'ocsf', { args })).text).map(({ finding_info: info }) => info.uid).sort();
  assert.deepEqual(await ocsf(), await ocsf());
});

test('a scan that was refused is in every file, and no finding is', async () => {
  const wrong = { auth: 'token', values: { token: 'nobody-has-this-token' } };
  const refused = (format) => scan('Acme engineering', format, { credential: wrong, file: `refused.${format}` });
  const json = await refused('json');
  assert.equal(json.code, 3);
  assert.match(json.stderr, /does not accept the credential/);
  const report = JSON.parse(json.text);
  assert.equal(report.refused.cause, 'credentials');
  assert.match(report.refused.detail, /401/);
  assert.deepEqual(report.scans.map(({ outcome }) => outcome), ['failed', 'failed', 'failed']);

  const sarif = await refused('sarif');
  assert.deepEqual((await judge('sarif', sarif.path)).complaints, []);
  assert.equal(failed(sarifRun(sarif.text).invocations).length, 3);
  assert.deepEqual(sarifRun(sarif.text).results, []);

  const ocsf = await refused('ocsf');
  assert.deepEqual((await judge('ocsf', ocsf.path)).complaints, []);
  assert.deepEqual(events(ocsf.text).map(({ compliance }) => compliance.status_id), [0, 0, 0]);
  assert.equal((await refused('csv')).text.match(/,inconclusive,/g).length, 3);
  for (const { text } of [json, sarif, ocsf]) assert.ok(!text.includes('nobody-has-this-token'));
});

test('only the outcomes that were asked for are written; the scans that are not whole always', async () => {
  const { text } = await scan('Acme open source', 'sarif', { args: ['--outcome', 'fail'] });
  assert.deepEqual([...new Set(sarifRun(text).results.map(({ kind }) => kind))], ['fail']);
  assert.equal(failed(sarifRun(text).invocations).length, 1);
});

test('the server writes what is filtered in every format, with the health of the scans', async () => {
  for (const list of ['', '?severity=critical', '?scan=accounts']) {
    const findings = JSON.parse((await download(list, 'json')).text);
    const uids = new Set(findings.map(({ uid }) => uid));
    assert.ok(uids.size > 5, `${list}: ${uids.size} findings`);

    const sarif = await download(list, 'sarif');
    assert.deepEqual((await judge('sarif', sarif.path)).complaints, []);
    const { results, invocations } = sarifRun(sarif.text);
    const failures = results.filter(({ kind }) => kind === 'fail');
    assert.deepEqual(new Set(failures.map(({ correlationGuid }) => correlationGuid)), uids);
    assert.equal(new Set(results.map(({ guid }) => guid)).size, results.length, 'two results share an identity');
    const broken = failed(invocations).map(({ properties }) => `${properties.application}: ${properties.scan} ${properties.outcome}`);
    assert.ok(broken.includes('Acme Microsoft 365: accounts failed'), `${list}: ${broken}`);
    assert.ok(broken.includes('Acme open source: accounts not_enabled'), `${list}: ${broken}`);

    const ocsf = await download(list, 'ocsf');
    assert.deepEqual((await judge('ocsf', ocsf.path)).complaints, []);
    const all = events(ocsf.text);
    const of = (status) => all.filter(({ compliance }) => compliance.status === status);
    assert.deepEqual(new Set(of('Fail').map(({ finding_info: info }) => info.uid)), uids);
    assert.equal(of('Unknown').length, broken.length);
    const rows = (await download(list, 'csv')).text.match(/,[0-9a-f-]{36}$/gm) ?? [];
    assert.deepEqual(new Set(rows.map((end) => end.slice(1))), uids);
  }
});

test('the judges notice what is wrong', async () => {
  const { text } = await scan('Acme open source', 'ocsf', { args: ['--kind', 'config'] });
  const [event] = events(text);
  const damaged = join(folder, 'damaged.ocsf');
  writeFileSync(damaged, `${JSON.stringify({ ...event, severity_id: 'high', surprise: 1 })}\n`);
  assert.ok((await judge('ocsf', damaged)).complaints.length > 0);
  const log = JSON.parse((await scan('Acme open source', 'sarif', { args: ['--kind', 'config'] })).text);
  log.runs[0].results[0].guid = 'not a guid';
  writeFileSync(damaged, JSON.stringify(log));
  assert.ok((await judge('sarif', damaged)).complaints.length > 0);
});
