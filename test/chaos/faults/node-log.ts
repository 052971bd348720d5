/** What a node says of itself: the lines of its log, and a way to make it say one. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestCluster } from '../../support/cluster.js';

export type LogLine = { readonly time: string; readonly msg: string };

function logPath(cluster: TestCluster, nodeId: number): string {
  return join(cluster.dataDir, `node-${nodeId}`, 'lograft.log');
}

export function logEnd(cluster: TestCluster, nodeId: number): number {
  const fd = openSync(logPath(cluster, nodeId), 'r');
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

/** Whole lines from a place on; what is no JSON (a last word before a crash) is left out. */
export function logLines(cluster: TestCluster, nodeId: number, from: number): LogLine[] {
  const fd = openSync(logPath(cluster, nodeId), 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - from));
    readSync(fd, bytes, 0, bytes.length, from);
    const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1).toString('utf8');
    return whole.split('\n').flatMap((line) => {
      return line.startsWith('{') ? [JSON.parse(line) as LogLine] : [];
    });
  } finally {
    closeSync(fd);
  }
}

/** A frame of negative length: the node closes the connection and logs that it did. */
export function provokeLogLine(cluster: TestCluster, nodeId: number): void {
  const host = cluster.launch?.node(nodeId).host ?? '127.0.0.1';
  const socket = connect(cluster.basePort + nodeId - 1, host);
  socket.on('error', () => undefined);
  socket.once('connect', () => socket.end(Buffer.alloc(4, 0xff)));
  socket.setTimeout(2_000, () => socket.destroy());
  socket.resume();
}
