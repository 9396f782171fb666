import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../config.js';

test('without settings the defaults hold', () => {
  assert.deepEqual(readConfig({}), {
    host: '127.0.0.1', port: 3000, socket: '', keepAliveTimeoutMs: 65_000, headersTimeoutMs: 66_000, requestTimeoutMs: 120_000,
  });
});

test('the header and request timeouts never fall below the idle timeout', () => {
  const config = readConfig({ KEEP_ALIVE_TIMEOUT_MS: '300000' });
  assert.ok(config.headersTimeoutMs > config.keepAliveTimeoutMs);
  assert.ok(config.requestTimeoutMs >= config.headersTimeoutMs);
});

test('every wrong value is named at once', () => {
  assert.throws(() => readConfig({ PORT: '0', KEEP_ALIVE_TIMEOUT_MS: 'soon', REQUEST_TIMEOUT_MS: '-1', SOCKET: 'app.sock' }), {
    message: [
      'PORT: got "0", allowed: 1 to 65535',
      'KEEP_ALIVE_TIMEOUT_MS: got "soon", allowed: 1000 to 5000000',
      'REQUEST_TIMEOUT_MS: got "-1", allowed: 1000 to 4000000',
      'SOCKET: got "app.sock", allowed: an absolute path of at most 107 characters',
    ].join('\n'),
  });
});
