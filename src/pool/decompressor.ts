/**
 * Unpacks batches in a worker of its own, so that a batch that unfolds into hundreds of megabytes
 * holds up no heartbeat. The worker starts with the first compressed batch and ends when it has had
 * nothing to do for a while. Any thread that may wait.
 */
import type { Piscina } from 'piscina';
import { LograftError } from '../base/errors.js';

/** Batches that wait for the worker; more are refused. */
const WAITING_MAX = 256;
const IDLE_MS = 10_000;

export type DecompressTask = { readonly codec: number; readonly payload: Uint8Array };

type Pool = Piscina<DecompressTask, Uint8Array>;

export class Decompressor {
  #pool: Promise<Pool> | null = null;

  /** @throws LograftError CORRUPT, TIMED_OUT when too many wait */
  async run(codec: number, payload: Uint8Array): Promise<Uint8Array> {
    this.#pool ??= makePool();
    const pool = await this.#pool;
    if (pool.queueSize >= WAITING_MAX) {
      throw new LograftError('TIMED_OUT', `over ${WAITING_MAX} batches wait to be unpacked`);
    }
    try {
      return await pool.run({ codec, payload }, { name: 'unpack' });
    } catch (cause) {
      // Its class does not cross threads.
      throw new LograftError('CORRUPT', (cause as Error).message, undefined, { cause });
    }
  }
}

/** The library, too, is loaded when there is something to unpack. */
async function makePool(): Promise<Pool> {
  const { Piscina } = await import('piscina');
  return new Piscina({
    filename: new URL('./decompress-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    maxQueue: WAITING_MAX,
  });
}
