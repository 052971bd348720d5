/** A base port from which a small cluster finds all its ports free on this machine. */
import { randomInt } from 'node:crypto';
import { LograftError } from '../../base/errors.js';
import { checkPorts } from '../cluster/ports.js';

/** Below the range from which the system hands out ports of its own. */
const LOWEST = 15_000;
const HIGHEST = 30_000;
const TRIES = 20;

export async function freeBasePort(nodes: number, host: string): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const base = randomInt(LOWEST, HIGHEST);
    const wanted = Array.from({ length: nodes }, (_, k) => ({
      id: k + 1,
      host,
      kafkaPort: base + k,
      peerPort: base + 101 + k,
    }));
    try {
      await checkPorts(wanted);
      return base;
    } catch (error) {
      const isTaken = error instanceof LograftError && error.code === 'ADDRESS_IN_USE';
      if (!isTaken) throw error;
    }
  }
  throw new LograftError('ADDRESS_IN_USE', `found no free ports after ${TRIES} tries`);
}
