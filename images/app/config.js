// Settings from the environment, read once. Every wrong value is named at once.

const settings = {
  PORT: { fallback: 3000, min: 1, max: 65535 },
  // Must stay above nginx's upstream keepalive_timeout: the side that sends
  // requests has to be the side that closes an idle connection, or a request
  // and a close cross on the wire and the client gets a 502.
  KEEP_ALIVE_TIMEOUT_MS: { fallback: 65_000, min: 1_000, max: 5_000_000 },
  // Whole request, body included. Node's default is 300 s.
  // https://nodejs.org/api/http.html#serverrequesttimeout
  REQUEST_TIMEOUT_MS: { fallback: 120_000, min: 1_000, max: 4_000_000 },
};

/**
 * @param {Record<string, string | undefined>} env
 * @returns {{host: string, port: number, socket: string, keepAliveTimeoutMs: number, headersTimeoutMs: number, requestTimeoutMs: number}}
 * @throws {Error} one line per wrong value
 */
export function readConfig(env) {
  const errors = [];
  const number = (name) => {
    const { fallback, min, max } = settings[name];
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      errors.push(`${name}: got ${JSON.stringify(text)}, allowed: ${min} to ${max}`);
    }
    return value;
  };
  const port = number('PORT');
  const keepAliveTimeoutMs = number('KEEP_ALIVE_TIMEOUT_MS');
  // Counted from a connection's first moment, so never below the idle time;
  // Node refuses to start when it is above the request timeout.
  // https://nodejs.org/api/http.html#serverheaderstimeout
  const headersTimeoutMs = keepAliveTimeoutMs + 1_000;
  const requestTimeoutMs = Math.max(number('REQUEST_TIMEOUT_MS'), headersTimeoutMs);
  // Where nginx connects instead of the port, if it is told the same path. The
  // kernel takes 107 bytes. https://man7.org/linux/man-pages/man7/unix.7.html
  const socket = env.SOCKET ?? '';
  if (socket !== '' && !/^\/[^\0]{1,106}$/.test(socket)) {
    errors.push(`SOCKET: got ${JSON.stringify(socket)}, allowed: an absolute path of at most 107 characters`);
  }
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return { host: env.HOST || '127.0.0.1', port, socket, keepAliveTimeoutMs, headersTimeoutMs, requestTimeoutMs };
}
