// Starts the API, and ends it without losing a request.

import { createServer } from 'node:http';
import { createApp } from './app.js';
import { readConfig } from './config.js';

const log = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let config;
try {
  config = readConfig(process.env);
} catch (err) {
  process.stderr.write(`${err.message}\n`);
  process.exit(1);
}

let draining = false;
const server = createServer(createApp({ log, draining: () => draining }));
// All three stated: Node has changed its defaults between releases.
server.keepAliveTimeout = config.keepAliveTimeoutMs;
server.headersTimeout = config.headersTimeoutMs;
server.requestTimeout = config.requestTimeoutMs;

server.on('error', (err) => {
  process.stderr.write(`listen on ${config.host}:${config.port}: ${err.message}\n`);
  process.exit(1);
});
// Node's default backlog is 511. nginx may open more connections than that in one
// moment, and each one the queue has no room for waits a second for its next try.
server.listen({ port: config.port, host: config.host, backlog: 4096 });

// Stop accepting, finish what is under way, leave. There is no time limit of our
// own: ECS kills the process at the end of stopTimeout. nginx has stopped before
// this signal comes, because it depends on this container.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    if (draining) return;
    draining = true;
    server.close(() => process.exit(0)); // closes idle connections as well
  });
}
