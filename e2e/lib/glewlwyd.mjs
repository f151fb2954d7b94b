// A running Glewlwyd's own API, as its administration page uses it, and a door in front of it that can be shut.
import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';

/** Signs in; a function `(method, path, body)` that resolves to the answer and fails on any refusal. */
export async function signedIn(url, { username, password }) {
  const login = await fetch(`${url}/api/auth/`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password }),
  });
  assert.equal(login.status, 200, `Glewlwyd refuses ${username}`);
  const cookie = login.headers.getSetCookie().map((text) => text.split(';')[0]).join('; ');
  return async (method, path, body) => {
    const answer = await fetch(`${url}/api/${path}`, { method, headers: { cookie, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${method} ${path}: ${text}`);
    return text && JSON.parse(text);
  };
}

/**
 * Passes connections on to `upstream`. `after(n, then)` calls `then` when the n-th request from now on arrives and holds
 * that request back; `shut()` drops all connections and lets nobody in until `open()`.
 */
export async function startDoor(upstream) {
  const { hostname, port } = new URL(upstream);
  const sockets = new Set();
  let watch;
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    return socket;
  };
  const serve = (client) => {
    const server = keep(connect(Number(port), hostname));
    keep(client).on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    server.pipe(client);
    client.on('data', (chunk) => {
      // Requests without a body: each begins a chunk of its own.
      if (watch && /^(GET|POST) /.test(chunk.toString('latin1')) && (watch.left -= 1) === 0) {
        const { then } = watch;
        watch = undefined;
        then();
        return;
      }
      server.write(chunk);
    });
  };
  let door;
  const listen = (at) => new Promise((resolve, reject) => {
    door = createServer(serve).on('error', reject).listen(at, '127.0.0.1', () => resolve(door.address().port));
  });
  const place = await listen(0);
  const shut = async () => {
    const closed = new Promise((resolve) => door.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { url: `http://127.0.0.1:${place}`, after: (left, then) => { watch = { left, then }; }, shut, open: () => listen(place) };
}
