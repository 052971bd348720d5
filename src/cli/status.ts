/** `lograft status`: nodes, leaders, epochs, offsets; from the nodes, or from disk without them. */
import { clusterStatus, type ClusterStatus, topicDocument } from './cluster/cluster-status.js';
import { locateCluster, type WhereOptions } from './cluster/locate.js';
import type { TopicStatus } from './cluster/node-status.js';
import { EXIT, formatBytes, type Output, table } from './output.js';

export type StatusOptions = WhereOptions & { readonly internal?: boolean };

export async function status(output: Output, options: StatusOptions): Promise<number> {
  const { dataDir, state } = await locateCluster(options);
  const all = await output.progress(() => 'asking the nodes', clusterStatus(dataDir, state));
  const shown = {
    ...all,
    topics: visibleTopics(all.topics, options.internal ?? false).map(topicDocument),
  };
  output.result(shown, statusText(shown, dataDir));
  return EXIT.done;
}

export function visibleTopics(
  topics: readonly TopicStatus[],
  isShowingInternal: boolean,
): readonly TopicStatus[] {
  return isShowingInternal ? topics : topics.filter((topic) => topic.isInternal !== true);
}

export function partitionTable(topics: readonly TopicStatus[]): string {
  return table(
    ['TOPIC', 'PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN-SYNC', 'START', 'HIGH', 'END'],
    topics.flatMap((topic) =>
      topic.partitions.map((p) => [
        topic.name,
        String(p.partition),
        orNone(p.leader),
        orNone(p.leaderEpoch),
        p.replicas.join(','),
        p.inSync.join(',') || '-',
        orNone(p.logStartOffset),
        orNone(p.highWatermark),
        orNone(p.logEndOffset),
      ]),
    ),
  );
}

function statusText(status: ClusterStatus, dataDir: string): string {
  const nodes = table(
    ['NODE', 'STATE', 'PID', 'KAFKA', 'PEER', 'MEMORY'],
    status.nodes.map((node) => [
      String(node.id) + (node.id === status.controllerId ? '*' : ''),
      node.state,
      node.pid === null ? '-' : String(node.pid),
      node.kafka,
      node.peer,
      node.pid === null ? '-' : formatBytes(node.rssBytes),
    ]),
  );
  const blocks = [
    `cluster ${status.clusterId ?? '(not formed yet)'} in ${dataDir}; * is the controller`,
    nodes,
  ];
  if (status.topics.length > 0) blocks.push(partitionTable(status.topics));
  if (status.strays !== undefined) {
    blocks.push(`set aside, of a deleted topic or another cluster: ${status.strays.join(', ')}`);
  }
  return blocks.join('\n\n');
}

function orNone(value: number): string {
  return value < 0 ? '-' : String(value);
}
