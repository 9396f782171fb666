// Starts the API, and ends it without losing a request.

import { createServer } from 'node:http';
import { createApp } from './app.js';
import { readConfig } from './config.js';
import { createLog } from './log.js';
import { removeStale } from './socket.js';

const log = createLog(process.stdout);
process.on('exit', log.flush); // after an error that nobody has caught, too

let config;
try {
  config = readConfig(process.env);
} catch (err) {
  process.stderr.write(`${err.message}\n`);
  process.exit(1);
}

let draining = false;
const app = createApp({ log: log.line, draining: () => draining });

/** Serves the API at one address; a failure ends the process. */
function serve(address, options) {
  const server = createServer(app);
  // All three stated: Node has changed its defaults between releases.
  server.keepAliveTimeout = config.keepAliveTimeoutMs;
  server.headersTimeout = config.headersTimeoutMs;
  server.requestTimeout = config.requestTimeoutMs;
  server.on('error', (err) => {
    process.stderr.write(`listen on ${address}: ${err.message}\n`);
    process.exit(1);
  });
  // Node's default backlog is 511. nginx may open more connections than that in one
  // moment. Those for which a port's queue has no room wait a second for their next
  // try; a socket refuses them, and nginx then turns to the port.
  server.listen({ ...options, backlog: 4096 });
  return server;
}

const servers = [serve(`${config.host}:${config.port}`, { port: config.port, host: config.host })];
if (config.socket !== '') {
  try {
    await removeStale(config.socket);
  } catch (err) {
    process.stderr.write(`SOCKET: ${err.message}\n`);
    process.exit(1);
  }
  // nginx is another user, and to connect it needs the right to write.
  servers.push(serve(config.socket, { path: config.socket, readableAll: true, writableAll: true }));
}

// Stop accepting, finish what is under way, leave. There is no time limit of our
// own: ECS kills the process at the end of stopTimeout. nginx has stopped before
// this signal comes, because it depends on this container.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    if (draining) return;
    draining = true;
    let open = servers.length;
    for (const server of servers) {
      server.close(() => { // closes idle connections as well, and removes the socket
        open -= 1;
        if (open === 0) process.exit(0);
      });
    }
  });
}
