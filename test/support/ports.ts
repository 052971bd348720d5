/**
 * Port numbers for clusters that several test processes start at the same time.
 *
 * A cluster with base port P uses P+i-1, P+100+i and P+200+i. The numbers are handed out in blocks
 * of 300; a process owns a block as long as it holds a listener on the block's last port, so two
 * processes never share one. The blocks lie below Linux' range of ephemeral ports.
 */
import { type Server, createServer } from 'node:net';

const BLOCK_PORTS = 300;
const FIRST_PORT = 14_000;
const BLOCKS = 60;

/** A base port whose block is ours until the process ends. */
export async function freeBasePort(nodes = 3): Promise<number> {
  const first = process.pid % BLOCKS;
  for (let i = 0; i < BLOCKS; i++) {
    const base = FIRST_PORT + ((first + i * 7) % BLOCKS) * BLOCK_PORTS;
    const claim = await listenOn(base + BLOCK_PORTS - 1);
    if (claim === null) continue;
    claim.unref();
    if (await areFree(clusterPorts(base, nodes))) return base;
    claim.close();
  }
  throw new Error('every block of test ports is in use');
}

function clusterPorts(base: number, nodes: number): number[] {
  return Array.from({ length: nodes }, (_, i) => [base + i, base + 101 + i, base + 201 + i]).flat();
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    const server = await listenOn(port);
    if (server === null) return false;
    await new Promise((resolve) => server.close(resolve));
  }
  return true;
}

function listenOn(port: number): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
