// The log: one JSON object a line, several lines in one write. A write for each
// line is a third of what a short request costs.

/**
 * @param {{write: (text: string) => void}} stream
 * @param {number} [milliseconds] how long a line may wait for others
 * @returns {{line: (object: object) => void, flush: () => void}}
 */
export function createLog(stream, milliseconds = 100) {
  let lines = '';
  let timer;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (lines !== '') stream.write(lines);
    lines = '';
  };
  const line = (object) => {
    lines += `${JSON.stringify(object)}\n`;
    // What a pipe takes whole. https://man7.org/linux/man-pages/man7/pipe.7.html
    if (lines.length >= 4_096) flush();
    else timer ??= setTimeout(flush, milliseconds);
  };
  return { line, flush };
}
