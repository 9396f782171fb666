// An app that fails in the way that its argument names.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const tls = require('node:tls');

const port = Number(process.env.PORT);
const serve = (answer, listen = { port, host: '127.0.0.1' }) => http.createServer(answer).listen(listen);
const status = (code) => serve((req, res) => res.writeHead(code).end());
const address = () => Object.values(os.networkInterfaces()).flat().find((i) => i.family === 'IPv4' && !i.internal).address;

const ways = {
  healthy: () => status(200),
  'wrong-port': () => serve((req, res) => res.end(), { port: 8000, host: '127.0.0.1' }),
  'wrong-address': () => serve((req, res) => res.end(), { port, host: address() }),
  'only-ipv6': () => serve((req, res) => res.end(), { port, host: '::1' }),
  'slow-start': () => setTimeout(() => status(200), 600_000),
  'not-found': () => serve((req, res) => res.writeHead(req.url === '/up' ? 200 : 404).end()),
  'host-refused': () => serve((req, res) => res.writeHead(req.headers.host === 'shop.example.com' ? 200 : 400).end()),
  login: () => status(401),
  error: () => serve((req, res) => { console.error('Error: the cache is not ready'); res.writeHead(500).end(); }),
  hangs: () => serve(() => {}),
  'no-http': () => net.createServer((socket) => socket.on('data', () => socket.destroy())).listen(port, '127.0.0.1'),
  tls: () => tls.createServer({}).listen(port, '127.0.0.1'),
  crash: () => { throw new Error("Cannot read properties of undefined (reading 'map')"); },
  'missing-variable': () => { throw new Error('DATABASE_URL is not set'); },
  'read-only': () => fs.writeFileSync('/app/cache.db', 'x'),
  'read-only-directory': () => fs.mkdirSync('/app/.next'),
  'no-temporary': () => { fs.existsSync('/tmp/x'); throw new Error("No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/app']"); },
  'wrong-user': () => fs.readFileSync('/app/secret.key'),
  'low-port': () => serve((req, res) => res.end(), { port: 80, host: '127.0.0.1' }),
  'port-taken': () => setTimeout(() => serve((req, res) => res.end(), { port: 8080, host: '0.0.0.0' }), 3000),
  database: () => net.connect(5432, '127.0.0.1'),
  job: () => console.log('done'),
  // As a shell ends whose program crashes: the first process of a container ignores signals from itself.
  segfault: () => { spawnSync(process.execPath, ['-e', 'process.kill(process.pid, "SIGSEGV")']); process.exit(128 + os.constants.signals.SIGSEGV); },
  memory: () => { for (const kept = []; ;) kept.push(Buffer.alloc(64 << 20, 1)); },
};
ways[process.argv[2]]();
