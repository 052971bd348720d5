/**
 * A reader that asks for the same bytes over and over on one connection and throws them away: one
 * buffer, which the socket fills again and again. What is measured is the sender. Its promise:
 * every answer is 200 and as long as it said, or there is a fault.
 */
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrainJob, DrainResult } from './http-jobs.js';

const READ_BYTES = 1 << 20;
const HEAD_BYTES_MAX = 16_384;
const STALL_MS_MAX = 20_000;
const LOOK_AGAIN_MS = 20;

type DrainParts = {
  readonly onWindow: (isOpen: boolean) => void;
  readonly stop: AbortSignal;
};

export async function runDrain(job: DrainJob, { onWindow, stop }: DrainParts) {
  const drain = new Drain(job);
  await sleep(job.window.warmupMs);
  drain.open();
  onWindow(true);
  await sleep(job.window.measureMs, undefined, { signal: stop }).catch(() => {
    // Told to end now.
  });
  // A short window on a busy machine: a number needs bytes.
  const endMs = performance.now() + STALL_MS_MAX;
  while (!drain.isSettled && performance.now() < endMs) await sleep(LOOK_AGAIN_MS);
  drain.close();
  onWindow(false);
  return drain.end();
}

class Drain {
  readonly #socket: Socket;
  readonly #request: string;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  readonly #faults: Record<string, number> = {};
  readonly #ended: Promise<void>;
  /** Of the answer that is being read; null while its length is not known. */
  #left: number | null = null;
  #head = '';
  #bytesPerAnswer = -1;
  #answers = 0;
  #bytesInWindow = 0;
  #openedMs = 0;
  #elapsedMs = 0;
  #isOpen = false;
  #isEnding = false;

  constructor({ host, port, path }: DrainJob) {
    this.#request = `GET ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n\r\n`;
    const callback = (count: number): boolean => this.#onBytes(count);
    this.#socket = connect({ host, port, onread: { buffer: this.#buffer, callback } });
    this.#socket.setTimeout(STALL_MS_MAX, () => this.#fail('no bytes for long'));
    this.#socket.on('error', (error) => this.#fault(String(error)));
    this.#ended = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#ask();
  }

  /** Whether the window saw bytes, or never will. */
  get isSettled(): boolean {
    return this.#bytesInWindow > 0 || this.#socket.destroyed;
  }

  open(): void {
    this.#isOpen = true;
    this.#openedMs = performance.now();
  }

  close(): void {
    this.#isOpen = false;
    this.#elapsedMs = performance.now() - this.#openedMs;
  }

  /** Reads the answer that is under way to its end. */
  async end(): Promise<DrainResult> {
    this.#isEnding = true;
    await this.#ended;
    if (this.#left !== null || this.#head !== '') this.#fault('an answer was cut off');
    return {
      elapsedMs: this.#elapsedMs,
      bytesInWindow: this.#bytesInWindow,
      answers: this.#answers,
      bytesPerAnswer: this.#bytesPerAnswer,
      faults: this.#faults,
    };
  }

  #ask(): void {
    this.#head = '';
    this.#left = null;
    this.#socket.write(this.#request);
  }

  #onBytes(count: number): boolean {
    let bodyBytes = count;
    if (this.#left === null) {
      const seen = this.#head.length;
      this.#head += this.#buffer.toString('latin1', 0, Math.min(count, HEAD_BYTES_MAX));
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return true;
      bodyBytes = count - (end + 4 - seen);
      if (!this.#readHead(this.#head.slice(0, end))) return false;
    }
    this.#left = (this.#left ?? 0) - bodyBytes;
    if (this.#isOpen) this.#bytesInWindow += bodyBytes;
    if (this.#left < 0) return this.#fail('more bytes than announced');
    if (this.#left > 0) return true;
    this.#answers += 1;
    if (!this.#isEnding) this.#ask();
    else {
      this.#left = null;
      this.#head = '';
      this.#socket.destroy();
    }
    return true;
  }

  #readHead(head: string): boolean {
    const status = head.slice(0, head.indexOf('\r\n'));
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? -1);
    if (!status.startsWith('HTTP/1.1 200 ')) return this.#fail(`answered with ${status}`);
    if (this.#bytesPerAnswer === -1) this.#bytesPerAnswer = length;
    if (length !== this.#bytesPerAnswer) return this.#fail('answers of several lengths');
    this.#left = length;
    return true;
  }

  #fail(what: string): false {
    this.#fault(what);
    this.#socket.destroy();
    return false;
  }

  #fault(what: string): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + 1;
  }
}
