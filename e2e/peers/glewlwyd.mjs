// A real Glewlwyd (sign-on server), seeded through its own API and served on 127.0.0.1.
//
// `--dir` is an empty directory for its configuration and database; started again on the same directory it keeps what is
// there. It ends with this process, however that ends.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { announce, fail, freePort, options } from './common.mjs';

// Debian's package brings the tables and the first account, for its own set-up.
const TABLES = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';
const MODULES = '/usr/lib/glewlwyd';

const here = dirname(fileURLToPath(import.meta.url));
const { dir, port: wanted, seed: seedPath } = options({ dir: undefined, port: '0', seed: join(here, 'glewlwyd.seed.json') });
const seed = JSON.parse(readFileSync(seedPath, 'utf8'));
const folder = resolve(dir);
mkdirSync(folder, { recursive: true });
const port = wanted === '0' ? await freePort() : Number(wanted);
const url = `http://127.0.0.1:${port}`;

const database = join(folder, 'glewlwyd.sqlite');
const fresh = !existsSync(database);
if (fresh) {
  const tables = new DatabaseSync(database);
  tables.exec(readFileSync(TABLES, 'utf8'));
  tables.close();
}
const config = join(folder, 'glewlwyd.conf');
writeFileSync(config, `port=${port}
bind_address="127.0.0.1"
external_url="${url}/"
login_url="login.html"
api_prefix="api"
log_mode="file"
log_level="WARNING"
log_file="${join(folder, 'glewlwyd.log')}"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie,api_key"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="${MODULES}/user"
client_module_path="${MODULES}/client"
user_auth_scheme_module_path="${MODULES}/scheme"
plugin_module_path="${MODULES}/plugin"
hash_algorithm="SHA512"
database = { type="sqlite3" path="${database}" };
`);

/** Starts the server, which dies with us even when nobody gives us time to say so; resolves once it answers. */
async function start() {
  for (let attempt = 0; ; attempt += 1) {
    const server = spawn('setpriv', ['--pdeathsig', 'KILL', 'glewlwyd', '-c', config], { stdio: 'ignore' });
    let ended = false;
    server.on('error', (error) => fail(`glewlwyd cannot be started: ${error.message}`));
    server.on('exit', () => { ended = true; });
    for (let i = 0; i < 600 && !ended; i += 1) {
      const answer = await fetch(`${url}/config`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
      if (answer?.ok) return server;
      await new Promise((later) => setTimeout(later, 50));
    }
    server.kill('SIGKILL');
    // A server that was just stopped may hold the port a moment longer.
    if (attempt === 20) fail(`glewlwyd does not answer at ${url}; see ${join(folder, 'glewlwyd.log')}`);
    await new Promise((later) => setTimeout(later, 250));
  }
}

/** Signs in; a function that makes requests with that session and fails on any refusal. */
async function session({ username, password }) {
  const login = await fetch(`${url}/api/auth/`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password }),
  });
  if (!login.ok) fail(`glewlwyd refuses ${username}: ${login.status}`);
  const cookie = login.headers.getSetCookie().map((text) => text.split(';')[0]).join('; ');
  return async (method, path, body) => {
    const answer = await fetch(`${url}/api/${path}`, { method, headers: { cookie, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) fail(`glewlwyd: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.text();
  };
}

const server = await start();
process.on('exit', () => server.kill('SIGKILL'));
server.on('exit', () => process.exit(1));
if (fresh) {
  const admin = await session(seed.admin);
  for (const scheme of seed.schemes) await admin('POST', 'mod/scheme/', scheme);
  for (const scope of seed.scopes) await admin('POST', 'scope/', scope);
  for (const plugin of seed.plugins) await admin('POST', 'mod/plugin/', plugin);
  for (const user of seed.users) await admin('POST', 'user/', user);
  for (const client of seed.clients) await admin('POST', 'client/', client);
  await admin('POST', 'user/', { ...seed.service, scope: ['g_admin'], enabled: true });
  for (const { username, client_id, scope } of seed.consents) {
    const { password } = seed.users.find((user) => user.username === username);
    const person = await session({ username, password });
    await person('PUT', `auth/grant/${client_id}/`, { scope });
  }
}
announce({ url, admin: seed.admin, service: seed.service, seed: seedPath, port, server: server.pid });
