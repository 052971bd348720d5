/**
 * The files of every node: each segment must pass lograft's own `log verify`, and the copies of a
 * partition must hold the same bytes wherever a client could read them. The segments are read here
 * plainly, in the order of their names, not through the code that wrote them.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestCluster, lograft } from '../support/cluster.js';
import { type Readable, compareCopies } from './history/copies.js';
import type { Violation } from './history/violation.js';

/** Compares what stopped nodes hold; the keys are `topic:partition`. */
export async function compareReplicas(
  cluster: TestCluster,
  readable: ReadonlyMap<string, Readable>,
): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const [partition, range] of readable) {
    const folder = partition.replace(/:(\d+)$/, '-$1');
    const copies = cluster.nodeIds.map((node) => {
      const directory = join(cluster.dataDir, `node-${node}`, folder);
      return { node, bytes: readSegments(directory) };
    });
    violations.push(...compareCopies(partition, range, copies));
  }
  for (const node of cluster.nodeIds) {
    const directory = join(cluster.dataDir, `node-${node}`);
    const { status, stdout, stderr } = await lograft(['log', 'verify', directory]);
    if (status !== 0) violations.push({ id: 'R3', text: `node ${node}: ${stdout}${stderr}` });
  }
  return violations;
}

function readSegments(directory: string): Buffer {
  const names = readdirSync(directory).filter((name) => /^\d{20}\.log$/.test(name));
  return Buffer.concat(names.sort().map((name) => readFileSync(join(directory, name))));
}
