/** Whether the ports of a cluster are free, asked before anything is started on them. */
import { createServer } from 'node:net';
import { LograftError } from '../../base/errors.js';
import type { NodeConfig } from '../../broker/config.js';

export type Listeners = Pick<NodeConfig, 'id' | 'host' | 'kafkaPort' | 'peerPort'>;

/** Throws LograftError ADDRESS_IN_USE that names every port in use, what for, and the flag. */
export async function checkPorts(nodes: readonly Listeners[]): Promise<void> {
  const wanted = nodes.flatMap((node) => [
    { host: node.host, port: node.kafkaPort, purpose: `Kafka of node ${node.id}` },
    { host: node.host, port: node.peerPort, purpose: `peers of node ${node.id}` },
  ]);
  const faults = await Promise.all(wanted.map(({ host, port }) => listenFault(host, port)));
  const taken = wanted.flatMap(({ host, port, purpose }, i) => {
    const fault = faults[i];
    if (fault == null) return [];
    const reason = fault === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${fault})`;
    return [`port ${port} on ${host} (${purpose}) ${reason}`];
  });
  if (taken.length === 0) return;
  throw new LograftError(
    'ADDRESS_IN_USE',
    taken.join('\n'),
    'choose other ports with --base-port, or stop what uses these',
  );
}

/** Error code of listening there for a moment; null when that works. */
function listenFault(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
