// The Unix socket: a way from nginx to the API that costs less than a port.

import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/**
 * Removes the socket that a crashed process has left behind: nobody can listen
 * on its path as long as the file is there. A socket that still answers stays,
 * and so does a file of another kind.
 *
 * @param {string} path
 */
export async function removeStale(path) {
  try {
    if (!(await lstat(path)).isSocket()) throw new Error(`${path}: a file that is no socket`);
  } catch (err) {
    if (err.code === 'ENOENT') return;
    throw err;
  }
  await new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      reject(new Error(`${path}: another process listens`));
    });
    probe.once('error', (err) => (err.code === 'ECONNREFUSED' ? resolve() : reject(err)));
  });
  await unlink(path);
}
