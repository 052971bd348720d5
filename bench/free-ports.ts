/** Port numbers for clusters: a base port below the ephemeral range whose neighbours are free. */
import { createServer } from 'node:net';

const FIRST_PORT = 20_000;
const STEP = 300;
const STEPS = 40;

/** A port such that it plus each of `offsets` can be listened on at this moment. */
export async function freeBasePort(offsets: readonly number[]): Promise<number> {
  const first = process.pid % STEPS;
  for (let i = 0; i < STEPS; i++) {
    const base = FIRST_PORT + ((first + i) % STEPS) * STEP;
    const free = await Promise.all(offsets.map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no free ports for a cluster');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
