// The container's health check: exit 0 when the API answers within 2 s.
// Straight to /healthz, which nginx does not forward and the API does not log.

import { get } from 'node:http';
import { readConfig } from './config.js';

const { host, port, socket } = readConfig(process.env);
const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;

// The way that nginx takes.
const way = socket === '' ? { host: address, port } : { socketPath: socket };
const request = get({ ...way, path: '/healthz', timeout: 2_000 }, (res) => {
  process.exit(res.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
request.on('error', (err) => {
  process.stderr.write(`${err.message}\n`);
  process.exit(1);
});
