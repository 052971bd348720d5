/**
 * `lograft log-level [node] [level]`: the level of a running node, of all its threads, shown or
 * changed at once. It is not kept: a node that starts again has the level of its setting.
 */
import { LograftError } from '../base/errors.js';
import { isLogLevel, LOG_LEVELS, type LogLevel } from '../base/log-levels.js';
import { lograftAdminApi } from '../protocol/messages/lograft-admin.js';
import type { ClusterNode } from './cluster/cluster-file.js';
import { locateCluster, runningNodes } from './cluster/locate.js';
import { Connection } from './kafka/connection.js';
import { usage } from './options.js';
import { EXIT, type Output } from './output.js';
import { findTarget, type TargetOptions } from './signal.js';

const TIMEOUT_MS = 5_000;
const CLIENT_ID = 'lograft-cli';

export async function logLevel(
  output: Output,
  [node = 'all', text]: readonly string[],
  options: TargetOptions,
): Promise<number> {
  if (text !== undefined && !isLogLevel(text)) {
    throw usage(`level ${text}: expected ${LOG_LEVELS.join(', ')}`);
  }
  const cluster = await locateCluster(options);
  const nodes = node === 'all' ? runningNodes(cluster) : [await findTarget(cluster, node, options)];
  const levels = await Promise.all(
    nodes.map(async (one) => ({ node: one.id, level: await ask(one, text) })),
  );
  const lines = levels.map(({ node: id, level }) => `node ${id}: ${level}`);
  output.result({ nodes: levels }, lines.join('\n'));
  return EXIT.done;
}

/** The level it has now. */
async function ask({ id, kafka }: ClusterNode, level: LogLevel | undefined): Promise<string> {
  const connection = await Connection.open(kafka, {
    clientId: CLIENT_ID,
    connectTimeoutMs: TIMEOUT_MS,
    requestTimeoutMs: TIMEOUT_MS,
  });
  try {
    const command = JSON.stringify({ op: 'log-level', level });
    const { errorCode, json } = await connection.request(lograftAdminApi, { command });
    const answer = JSON.parse(json) as { readonly level?: string; readonly message?: string };
    if (errorCode === 0 && answer.level !== undefined) return answer.level;
    throw new LograftError('INVALID_REQUEST', `node ${id}: ${answer.message ?? json}`);
  } finally {
    connection.close();
  }
}
