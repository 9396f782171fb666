// The sample API as it is in its image, listening on a port and on a Unix socket,
// with five routes more: JSON of 20 kB to compress, a body to read, an answer that
// is the same for everybody, a file, and a WebSocket that sends every message back.
import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import express from 'express';
import { createApp } from './app.js';

const log = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rows = Array.from({ length: 400 }, (_, i) => ({ id: i, name: `user-${(i * 7919) % 10007}`, mail: `user${i}@example.com` }));
const body = JSON.stringify(rows).slice(0, 20_000);

const more = express();
more.disable('x-powered-by');
more.disable('etag');
more.use((req, res, next) => {
  const start = process.hrtime.bigint();
  res.on('close', () =>
    log({
      time: new Date().toISOString(),
      request_id: req.get('x-request-id'),
      method: req.method,
      path: req.originalUrl,
      status: res.statusCode,
      duration_ms: Number((process.hrtime.bigint() - start) / 1000n) / 1000,
    }));
  next();
});
more.get('/api/big', (req, res) => res.type('application/json').send(body));
more.get('/api/public', (req, res) => res.set('Cache-Control', 'public, max-age=60').type('text/plain').send('User 1 found!'));
more.use('/static', express.static('/srv/static/1/static'));
more.post('/api/items', express.json(), (req, res) => res.type('text/plain').send(`${req.body.items.length} items`));

const api = createApp({ log });
const handler = (req, res) => (['/api/big', '/api/items', '/api/public', '/static/app.js'].includes(req.url) ? more : api)(req, res);

// https://www.rfc-editor.org/rfc/rfc6455: messages up to 125 bytes, masked, and a
// message may arrive in pieces.
const echo = (req, socket) => {
  const accept = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.setNoDelay(true);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let rest = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= 6 && rest.length >= 6 + (rest[1] & 0x7f)) {
      const size = rest[1] & 0x7f;
      const answer = Buffer.allocUnsafe(2 + size);
      answer[0] = rest[0];
      answer[1] = size;
      for (let i = 0; i < size; i++) answer[2 + i] = rest[6 + i] ^ rest[2 + (i & 3)];
      socket.write(answer);
      rest = rest.subarray(6 + size);
    }
  });
};

for (const where of [{ port: 3000, host: '127.0.0.1' }, { path: '/sock/app.sock' }]) {
  const server = createServer(handler);
  server.keepAliveTimeout = 65_000;
  server.headersTimeout = 66_000;
  server.on('upgrade', echo);
  // The proxies run as other users than the application.
  server.listen({ ...where, backlog: 4096 }, () => where.path && chmodSync(where.path, 0o666));
}
