import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { removeStale } from '../socket.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'socket-'));
const path = join(directory, 'http.sock');
after(() => rmSync(directory, { recursive: true }));

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

function ask() {
  return new Promise((resolve) => {
    get({ socketPath: path, path: '/api/users/1' }, (res) => { res.resume(); resolve(res.statusCode); }).on('error', (err) => resolve(err.code));
  });
}

/** Starts server.js with the socket and waits for an answer through it. */
async function start() {
  const child = spawn(process.execPath, ['server.js'], { cwd: root, env: { ...process.env, PORT: await freePort(), SOCKET: path } });
  for (let i = 0; i < 200; i += 1) {
    if (await ask() === 200) return child;
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
  child.kill('SIGKILL');
  throw new Error('no answer through the socket after 5 s');
}

test('the socket answers, anybody may connect, and a stop removes it', async () => {
  const child = await start();
  assert.equal(statSync(path).mode & 0o666, 0o666);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.equal(existsSync(path), false);
});

test('a socket that a crash has left is replaced', async () => {
  const crashed = await start();
  crashed.kill('SIGKILL');
  await once(crashed, 'exit');
  assert.equal(existsSync(path), true);
  const next = await start();
  next.kill('SIGTERM');
  await once(next, 'exit');
});

test('a socket that answers and a file of another kind stay', async () => {
  const other = createServer().listen(path);
  await once(other, 'listening');
  await assert.rejects(removeStale(path), /another process listens/);
  other.close();
  await once(other, 'close');
  writeFileSync(path, 'not a socket');
  await assert.rejects(removeStale(path), /no socket/);
  rmSync(path);
  await removeStale(path); // nothing there
});
