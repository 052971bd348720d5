/**
 * What the HTTP door sees of this broker, and the way to leaders on other nodes. Its one promise:
 * any node answers for any partition. Main thread.
 */
import { systemClock } from '../base/clock.js';
import { LEADER_NONE, type NodeId } from '../base/units.js';
import { randomUuid } from '../base/uuid.js';
import type { ControlPlane } from '../control/control-plane.js';
import { EMPTY_IMAGE } from '../control/image.js';
import { LeaderTable } from '../control/leader-table.js';
import type { ControlOp, ControlResult } from '../control/operations.js';
import type { HttpDoor } from '../gateway/http/http-door.js';
import { untilLed } from '../handlers/http/leader-retry.js';
import type { HttpContext } from '../handlers/http/context.js';
import type { LoopMeter } from '../observability/loop-meter.js';
import type { ShardCounters } from '../observability/shard-counters.js';
import { absentPartition, type ProduceOutcome } from '../partition/access.js';
import type { ForwardMessage } from '../partition/forward-messages.js';
import { Forwarding } from '../partition/forwarding.js';
import { PartitionRouter } from '../partition/router.js';
import type { ThreadLink } from '../partition/thread-link.js';
import { Decompressor } from '../pool/decompressor.js';
import { recordChecksum } from './checksum.js';
import type { BrokerConfig } from './config.js';
import { configReader } from './config-reader.js';
import { bytesIn, ClusterGroups } from './cluster-groups.js';
import { decide } from './decisions.js';
import type { ForwardedProduce } from './thread-messages.js';
import { handlerSettings } from './shard-context.js';
import { Metrics } from './metrics.js';
import { packageVersion } from './package-version.js';
import type { ShardPool } from './shard-pool.js';

export type HttpServiceOptions = {
  readonly config: BrokerConfig;
  readonly door: HttpDoor;
  readonly incarnation: string;
  readonly shards: ShardPool;
  /** What the main thread counts. */
  readonly counters: ShardCounters;
  readonly loop: LoopMeter;
  /** Null while the node does not know its cluster. */
  readonly control: () => ControlPlane | null;
  readonly status: () => Promise<string>;
  readonly unready: () => readonly string[];
  /** False: it did not leave. */
  readonly send: (to: NodeId, message: ForwardMessage, bytes: number) => boolean;
};

const NO_LEADERS = new LeaderTable();

/** The cluster, empty before this node knows it. */
type Known = Pick<HttpContext, 'image' | 'leaders'>;

/** Opens the door; returns what brings calls to other nodes and back. */
export function serveHttp(options: HttpServiceOptions): Forwarding {
  const { door, incarnation, shards, send } = options;
  const router = new PartitionRouter({
    links: shards.links,
    local: () => undefined,
    readRange: () => new Uint8Array(),
  });
  const known: Known = {
    image: () => options.control()?.image ?? EMPTY_IMAGE,
    leaders: () => options.control()?.leaders ?? NO_LEADERS,
  };
  const groups = new ClusterGroups({
    ...known,
    nodeId: options.config.nodeId,
    router,
    shards: shards.links,
    forwarding: () => forwarding,
  });
  const forwarding: Forwarding = new Forwarding({
    incarnation,
    clock: systemClock,
    local: (group) => router.access(group),
    localGroup: (group, method, request, done) => {
      groups.serve(group, method, request, (response) => done(response, bytesIn(response)));
    },
    send,
  });
  const context = httpContext(options, known, router, forwarding, groups);
  door.open(context);
  for (const link of shards.links) serveShard(link, context);
  return forwarding;
}

/** A shard brings what it can no longer write itself. */
function serveShard(link: ThreadLink, context: HttpContext): void {
  link.onCall('produce-elsewhere', (payload, answer) => {
    const { group, bytes, options } = payload as ForwardedProduce;
    const deadlineMs = context.clock.monotonicMs() + options.timeoutMs;
    const attempt = (done: (outcome: ProduceOutcome) => void): void => {
      context.leader(group).produce(bytes, 0, bytes.length, options, done);
    };
    void untilLed(context, deadlineMs, attempt).then((outcome) => answer(outcome));
  });
}

function httpContext(
  options: HttpServiceOptions,
  { image, leaders }: Known,
  router: PartitionRouter,
  forwarding: Forwarding,
  groups: ClusterGroups,
): HttpContext {
  const { config, control, status, unready, counters, loop, door, shards } = options;
  const { nodeId, node } = config;
  const leader: HttpContext['leader'] = (group) => {
    const leaderId = leaders().leaderOf(group.topicId, group.partition);
    if (leaderId === LEADER_NONE) return absentPartition;
    return leaderId === nodeId ? router.access(group) : forwarding.access(leaderId, group);
  };
  const { settings } = config.cluster;
  const parts = { nodeId, settings, pool: shards, counters, loop, door, forwarding };
  const metrics = new Metrics({ ...parts, image, leaders, leader });
  const decompressor = new Decompressor();
  return {
    version: packageVersion(),
    nodeId,
    controllerId: () => control()?.controllerId ?? LEADER_NONE,
    configs: configReader(config.cluster, `${node.host}:${node.kafkaPort}`),
    baseUri: `http://${node.advertisedHost}:${node.httpPort}`,
    settings: handlerSettings(config),
    clock: systemClock,
    image,
    isCurrent: () => control()?.registration === 'registered',
    leaders,
    control: <K extends ControlOp['kind']>(
      operation: Extract<ControlOp, { kind: K }>,
      timeoutMs: number,
    ): Promise<ControlResult<K>> =>
      decide(control(), systemClock, { operation, timeoutMs }) as Promise<ControlResult<K>>,
    status,
    leader,
    unready,
    metrics: () => metrics.page(),
    sent: (topicId, bytes, records) => counters.topic(topicId).out(bytes, records),
    decompress: (codec, payload) => decompressor.run(codec, payload),
    checksum: recordChecksum,
    newId: randomUuid,
    callGroup: (method, groupId, request, timeoutMs) =>
      groups.call(method, groupId, request, timeoutMs),
    listGroups: () => groups.list(),
  };
}
