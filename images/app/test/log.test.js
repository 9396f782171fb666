import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { createLog } from '../log.js';

function recorded(milliseconds) {
  const writes = [];
  return { writes, ...createLog({ write: (text) => writes.push(text) }, milliseconds) };
}

test('lines of one moment go out together, and soon', async () => {
  const { writes, line } = recorded(20);
  for (let i = 0; i < 10; i += 1) line({ i });
  assert.deepEqual(writes, []);
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  assert.equal(writes.length, 1);
  assert.equal(writes[0], [...Array(10).keys()].map((i) => `{"i":${i}}\n`).join(''));
});

test('many lines do not wait', () => {
  const { writes, line, flush } = recorded(60_000);
  for (let i = 0; i < 1000; i += 1) line({ i });
  flush();
  assert.ok(writes.length > 1 && writes.length < 20, `${writes.length} writes`);
  assert.equal(writes.join('').split('\n').length, 1001);
});

test('a process that ends or fails has written all of them', async () => {
  for (const end of ['process.exit(0)', 'throw new Error("broken")']) {
    const script = `import { createLog } from './log.js';
      const log = createLog(process.stdout, 60_000);
      process.on('exit', log.flush);
      log.line({ last: true });
      ${end};`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { cwd: new URL('..', import.meta.url) });
    let out = '';
    child.stdout.on('data', (data) => { out += data; });
    await once(child, 'close');
    assert.equal(out, '{"last":true}\n', end);
  }
});
