// The sample API as it is in its image, and one more route that answers with
// JSON of a size, so that there is something to compress.
import { createServer } from 'node:http';
import express from 'express';
import { createApp } from './app.js';

const log = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rows = Array.from({ length: 400 }, (_, i) => ({ id: i, name: `user-${(i * 7919) % 10007}`, mail: `user${i}@example.com` }));
const body = JSON.stringify(rows).slice(0, 20_000);

const sized = express();
sized.disable('x-powered-by');
sized.disable('etag');
sized.get('/api/big', (req, res) => res.type('application/json').send(body));

const api = createApp({ log });
const server = createServer((req, res) => (req.url === '/api/big' ? sized : api)(req, res));
server.keepAliveTimeout = 65_000;
server.headersTimeout = 66_000;
server.listen({ port: 3000, host: '127.0.0.1', backlog: 4096 });
