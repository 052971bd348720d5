/**
 * What the HTTP scenarios share: three nodes with their topics, a bare node:http server, nginx over
 * a file with the very bytes that a stream answers with. Started once, gone with `close`.
 */
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { fillTopic } from '../backlog.js';
import { awaitSettled, createTopic } from '../kafka-calls.js';
import { lograftPeer } from '../peer-lograft.js';
import { type Cluster, System, openWorkRoot } from '../system.js';
import { newTopicName } from '../topic.js';
import { type HttpServer, findNginx, startBareServer, startNginx } from './servers.js';

const HTTP_PORT_OFFSET = 200;
const MIB = 2 ** 20;
/** The disk holds little of what is written over and over. */
const SHORT_LIVED = { 'retention.bytes': String(64 * MIB), 'segment.bytes': String(16 * MIB) };
const KEPT = { 'retention.bytes': '-1', 'segment.bytes': String(128 * MIB) };

export type HttpSize = {
  readonly rounds: number;
  /** Of each scenario but the last, before the first round: JITs settle. */
  readonly settleMs: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Of the sweep, and of everything else. */
  readonly sweep: readonly number[];
  readonly connections: number;
  /** What a stream gives. */
  readonly streamBytes: number;
  /** Requests a second beside a stream. */
  readonly rate: number;
  readonly watchMs: number;
  readonly isDiskSettled: boolean;
  readonly touchBytes: number;
};

export const HTTP_SMOKE: HttpSize = {
  rounds: 1,
  settleMs: 0,
  warmupMs: 100,
  measureMs: 300,
  sweep: [10],
  connections: 10,
  streamBytes: 4 * MIB,
  rate: 400,
  watchMs: 50,
  isDiskSettled: false,
  touchBytes: 0,
};

export const HTTP_FULL: HttpSize = {
  rounds: 3,
  settleMs: 2_000,
  warmupMs: 1_000,
  measureMs: 4_000,
  sweep: [10, 100, 1_000],
  connections: 100,
  streamBytes: 512 * MIB,
  rate: 2_000,
  watchMs: 500,
  isDiskSettled: true,
  touchBytes: 4_096 * MIB,
};

export type HttpTopics = {
  /** A partition per node, to write to. */
  readonly cached: string;
  readonly synced: string;
  /** One partition that holds the stream, and one with text to read as JSON. */
  readonly stream: string;
  readonly texts: string;
};

export type HttpSetup = {
  readonly size: HttpSize;
  readonly cluster: Cluster;
  readonly topics: HttpTopics;
  readonly bare: HttpServer;
  /** Null, with the reason in {@link nginxMissing}. */
  readonly nginx: HttpServer | null;
  readonly nginxMissing: string;
  readonly streamFile: string;
  close(): Promise<void>;
};

export const STREAM_FILE = 'stream.batches';
export const TEXT_RECORDS = 100;
const VALUE_BYTES = 200;

/** Of one node; its HTTP door listens beside its Kafka door. */
export function doorOf({ bootstrap }: Cluster, nodeId: number): string {
  const { host, port } = bootstrap[0] as { host: string; port: number };
  return `http://${host}:${port + HTTP_PORT_OFFSET + nodeId}`;
}

/** A record's value, and many of them as lines. */
export const TEXT = 'lograft '.repeat(VALUE_BYTES / 8);
export const LINES = Array.from({ length: TEXT_RECORDS }, () =>
  JSON.stringify({ value: TEXT }),
).join('\n');

export async function openSetup(size: HttpSize, directory: string | undefined): Promise<HttpSetup> {
  const root = openWorkRoot(directory);
  const system = new System(lograftPeer, root);
  const bare = await startBareServer();
  const cluster = await system.cluster();
  const topics = await createTopics(cluster);
  await fillTopic(cluster, topics.stream, size.streamBytes);
  await writeTexts(cluster, topics.texts);
  const files = join(root, 'files');
  mkdirSync(files);
  const streamFile = join(files, STREAM_FILE);
  await saveStream(cluster, topics.stream, streamFile);
  const found = findNginx();
  const nginx = found === null ? null : await startNginx(found, join(root, 'nginx'), files);
  const nginxMissing = 'nginx is not installed (apt-get install nginx-light)';
  const close = async (): Promise<void> => {
    await Promise.all([bare.stop(), nginx?.stop()]);
    await system.stop();
  };
  return { size, cluster, topics, bare, nginx, nginxMissing, streamFile, close };
}

async function createTopics({ bootstrap }: Cluster): Promise<HttpTopics> {
  const [cached, synced, stream, texts] = Array.from({ length: 4 }, () => newTopicName('W10'));
  const topics = { cached, synced, stream, texts } as HttpTopics;
  const create = (topic: string, partitions: number, configs: Record<string, string>) =>
    createTopic(bootstrap, topic, partitions, configs);
  await create(topics.cached, 3, { ...SHORT_LIVED, durability: 'cached' });
  await create(topics.synced, 3, { ...SHORT_LIVED, durability: 'synced' });
  await create(topics.stream, 1, { ...KEPT, durability: 'cached' });
  await create(topics.texts, 1, { ...KEPT, durability: 'cached' });
  for (const topic of Object.values(topics)) await awaitSettled(bootstrap, topic);
  return topics;
}

async function writeTexts(cluster: Cluster, topic: string): Promise<void> {
  const response = await fetch(`${doorOf(cluster, 1)}/topics/${topic}/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: LINES,
  });
  if (response.status !== 200) throw new Error(`texts: ${await response.text()}`);
}

async function saveStream(cluster: Cluster, topic: string, path: string): Promise<void> {
  const response = await fetch(`${doorOf(cluster, 1)}/topics/${topic}/partitions/0/stream`);
  if (response.status !== 200) throw new Error(`the stream: ${await response.text()}`);
  const body = Readable.fromWeb(response.body as ReadableStream);
  await pipeline(body, createWriteStream(path));
}
