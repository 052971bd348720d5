/**
 * Lines of a byte stream as views of what was read, without decoding. A last line without its
 * newline counts; the newline itself does not belong to a line.
 */

const NEWLINE = 0x0a;

/** Groups of lines, one group for each chunk that completes a line. */
export async function* readLines(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let open: Buffer[] = [];
  for await (const chunk of input) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, at);
      lines.push(open.length === 0 ? piece : Buffer.concat([...open, piece]));
      open = [];
      start = at + 1;
    }
    if (start < chunk.length) open.push(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (open.length > 0) yield [Buffer.concat(open)];
}
