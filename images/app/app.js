// The API itself, without a socket: the pattern's three routes and what every
// answer has in common. server.js gives it a port.

import express from 'express';

/**
 * Makes the Express application.
 *
 * @param {object} deps
 * @param {(line: object) => void} deps.log gets one object per request, except
 *   for health checks, which would bury everything else
 * @param {() => boolean} [deps.draining] true once the process is going down
 */
export function createApp({ log, draining = () => false }) {
  const app = express();
  app.disable('x-powered-by'); // tells an attacker what to try, and nobody else anything
  app.disable('etag'); // a hash per answer for texts that are shorter than the header

  app.use((req, res, next) => {
    const start = process.hrtime.bigint();
    // The client (nginx) must not send another request on this connection.
    if (draining()) res.set('Connection', 'close');
    res.on('close', () => {
      if (req.path === '/healthz') return;
      log({
        time: new Date().toISOString(),
        request_id: req.get('x-request-id'),
        method: req.method,
        // No query: it carries names, mail addresses and tokens.
        path: req.originalUrl.split('?', 1)[0],
        // The client went away before there was an answer: nginx's number for that.
        status: res.writableFinished ? res.statusCode : 499,
        duration_ms: Number((process.hrtime.bigint() - start) / 1000n) / 1000,
      });
    });
    next();
  });

  // Plain text throughout: `User ${id} found!` as HTML would run whatever
  // script the path carries.
  app.get('/', (req, res) => res.type('text/plain').send('The API is up. Try /api/users/1\n'));
  app.get('/healthz', (req, res) => res.type('text/plain').send('ok'));
  app.get('/api/users/:id', (req, res) => res.type('text/plain').send(`User ${req.params.id} found!`));
  app.get('/api/users/by/username/:username', (req, res) =>
    res.type('text/plain').send(`User ${req.params.username} found!`));

  app.use((req, res) => res.status(404).json({ error: 'not found' }));

  // Express takes a function with four parameters for an error handler, so
  // `next` must be named. Without this handler the answer is HTML, with the
  // stack trace in it unless NODE_ENV is production.
  app.use((err, req, res, next) => {
    const status = err.status >= 400 && err.status < 500 ? err.status : 500;
    if (status === 500) log({ time: new Date().toISOString(), level: 'error', message: err.stack });
    if (res.headersSent) return next(err); // too late for a status; Express cuts the connection
    res.status(status).json({ error: status === 500 ? 'internal error' : 'bad request' });
  });
  return app;
}
