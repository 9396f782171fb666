import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../app.js';

describe('the API', () => {
  const lines = [];
  let server;
  let base;

  before(async () => {
    server = createServer(createApp({ log: (line) => lines.push(line) }));
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    base = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => server.close());

  // [what it shows, path, status, body]
  const answers = [
    ['finds a user by id', '/api/users/1', 200, 'User 1 found!'],
    ['finds a user by name', '/api/users/by/username/ada', 200, 'User ada found!'],
    ['decodes a name', '/api/users/by/username/J%C3%BCrgen%20K', 200, 'User Jürgen K found!'],
    ['says that it is there', '/', 200, 'The API is up. Try /api/users/1\n'],
    ['is healthy', '/healthz', 200, 'ok'],
    ['has nothing else', '/api/orders', 404, '{"error":"not found"}'],
    ['refuses a broken escape without a stack trace', '/api/users/%ff', 400, '{"error":"bad request"}'],
  ];
  for (const [claim, path, status, body] of answers) {
    test(claim, async () => {
      const res = await fetch(base + path);
      assert.equal(await res.text(), body);
      assert.equal(res.status, status);
    });
  }

  test('sends script in a path back as plain text', async () => {
    const res = await fetch(`${base}/api/users/${encodeURIComponent('<script>alert(1)</script>')}`);
    assert.equal(await res.text(), 'User <script>alert(1)</script> found!');
    assert.match(res.headers.get('content-type'), /^text\/plain/);
  });

  test('does not say what it is made of', async () => {
    const res = await fetch(`${base}/api/users/1`);
    assert.equal(res.headers.get('x-powered-by'), null);
  });

  test('logs each request with its id, and no health check', async () => {
    lines.length = 0;
    await (await fetch(`${base}/healthz`)).text();
    await (await fetch(`${base}/api/users/7?token=secret`, { headers: { 'x-request-id': 'abc' } })).text();
    while (lines.length === 0) await new Promise((resolve) => { setImmediate(resolve); });
    assert.equal(lines.length, 1);
    const { request_id, method, path, status, duration_ms } = lines[0];
    assert.deepEqual({ request_id, method, path, status }, { request_id: 'abc', method: 'GET', path: '/api/users/7', status: 200 });
    assert.ok(duration_ms > 0, `duration_ms: got ${duration_ms}`);
  });
});

test('a failure inside is a 500 without its message, which only the log has', async () => {
  const lines = [];
  const draining = () => { throw new Error('secret detail'); };
  const failing = createServer(createApp({ log: (line) => lines.push(line), draining }));
  await new Promise((resolve) => { failing.listen(0, '127.0.0.1', resolve); });
  try {
    const res = await fetch(`http://127.0.0.1:${failing.address().port}/api/users/1`);
    assert.equal(res.status, 500);
    assert.equal(await res.text(), '{"error":"internal error"}');
    assert.ok(lines.some((line) => line.level === 'error' && line.message.includes('secret detail')));
  } finally {
    failing.close();
  }
});
