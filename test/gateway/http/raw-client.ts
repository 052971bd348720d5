/** A client of the HTTP door that puts its bytes on the wire itself. */
import { connect, type Socket } from 'node:net';
import * as assert from 'uvu/assert';

export type Answer = { status: number; headers: Map<string, string>; body: Buffer };

/** A client that writes what it is told and reads answers one after the other. */
export class RawClient {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #wake: () => void = () => {};
  isEnded = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    this.socket.on('close', () => {
      this.isEnded = true;
      this.#wake();
    });
    this.socket.on('error', () => {
      // Told by the close that follows.
    });
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** The next answer; null when the connection ended before it. */
  async answer(): Promise<Answer | null> {
    const headEnd = await this.#until(() => this.#bytes.indexOf('\r\n\r\n'));
    if (headEnd < 0) return null;
    const [first = '', ...lines] = this.#bytes.subarray(0, headEnd).toString().split('\r\n');
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const length = Number(headers.get('content-length') ?? 0);
    const bodyStart = headEnd + 4;
    const isWhole = (): number => (this.#bytes.length >= bodyStart + length ? 0 : -1);
    if ((await this.#until(isWhole)) < 0) return null;
    const body = this.#bytes.subarray(bodyStart, bodyStart + length);
    this.#bytes = this.#bytes.subarray(bodyStart + length);
    return { status: Number(first.split(' ')[1]), headers, body };
  }

  async json(): Promise<Record<string, unknown>> {
    const answer = await this.answer();
    assert.ok(answer, 'the connection lives');
    return { status: answer.status, ...JSON.parse(answer.body.toString()) };
  }

  close(): void {
    this.socket.destroy();
  }

  async #until(found: () => number): Promise<number> {
    const endMs = performance.now() + 20_000;
    for (;;) {
      const at = found();
      if (at >= 0) return at;
      if (this.isEnded) return -1;
      assert.ok(performance.now() < endMs, 'an answer comes');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }
}
