import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Starts server.js and waits until it accepts connections. */
async function start(env = {}) {
  const port = await freePort();
  const child = spawn(process.execPath, ['server.js'], { cwd: root, env: { ...process.env, PORT: port, ...env } });
  for (let i = 0; i < 200; i += 1) {
    const socket = connect(port, '127.0.0.1');
    const up = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return { child, port };
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
  child.kill('SIGKILL');
  throw new Error('server.js does not accept connections after 5 s');
}

test('SIGTERM: a request under way is finished, its connection closed, and the exit code is 0', async () => {
  const { child, port } = await start();
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  // Half a request: the server has it under way when the signal comes.
  socket.write('GET /api/users/1 HTTP/1.1\r\nHost: a\r\n');
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  child.kill('SIGTERM');
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  const refused = connect(port, '127.0.0.1');
  const [error] = await once(refused, 'error');
  assert.equal(error.code, 'ECONNREFUSED');

  let answer = '';
  socket.on('data', (data) => { answer += data; });
  socket.write('\r\n');
  await once(socket, 'end');
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\r\nConnection: close\r\n/i);
  assert.match(answer, /User 1 found!$/);
  socket.destroy();
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(code, 0);
});

test('an idle connection stays open beyond the setting and is closed soon after', async () => {
  const { child, port } = await start({ KEEP_ALIVE_TIMEOUT_MS: '1000' });
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET /api/users/1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  const from = process.hrtime.bigint();
  socket.resume();
  await once(socket, 'end');
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  socket.destroy();
  child.kill('SIGTERM');
  // Newer Node releases add a second to what they announce.
  assert.ok(seconds > 0.95 && seconds < 5, `closed after ${seconds} s`);
});

test('wrong settings end the process with 1 and say which', async () => {
  const child = spawn(process.execPath, ['server.js'], { cwd: root, env: { ...process.env, PORT: 'http' } });
  let message = '';
  child.stderr.on('data', (data) => { message += data; });
  const [code] = await once(child, 'close');
  assert.equal(code, 1);
  assert.equal(message, 'PORT: got "http", allowed: 1 to 65535\n');
});
