/** What handlers of one shard see of the broker, put together from the rooms. Shard thread. */
import { systemClock } from '../base/clock.js';
import type { ControlOp, ControlResult } from '../control/operations.js';
import type { ConfigReader, HandlerContext, HandlerSettings } from '../handlers/context.js';
import type { ShardCounters } from '../observability/shard-counters.js';
import type { PartitionRouter } from '../partition/router.js';
import type { ThreadLink } from '../partition/thread-link.js';
import type { BrokerConfig } from './config.js';
import type { GroupRouter } from './group-calls.js';
import type { ShardView } from './shard-view.js';
import type { ControlCall } from './thread-messages.js';

export type ShardContextOptions = {
  readonly config: BrokerConfig;
  readonly main: ThreadLink;
  readonly view: ShardView;
  readonly router: PartitionRouter;
  readonly groups: GroupRouter;
  readonly configs: ConfigReader;
  readonly counters: ShardCounters;
};

export function shardHandlerContext(options: ShardContextOptions): HandlerContext {
  const { config, main, view, router, groups, configs, counters } = options;
  return {
    nodeId: config.nodeId,
    clock: systemClock,
    settings: handlerSettings(config),
    image: () => view.image,
    isCurrent: () => view.isCurrent,
    leaders: () => view.leaders,
    controllerId: () => view.controllerId,
    partition: (group) => router.access(group),
    sent: (topicId, bytes, records) => counters.topic(topicId).out(bytes, records),
    control: <K extends ControlOp['kind']>(
      operation: Extract<ControlOp, { kind: K }>,
      timeoutMs: number,
    ): Promise<ControlResult<K>> => {
      const call: ControlCall = { operation, timeoutMs };
      return main.request('control', call) as Promise<ControlResult<K>>;
    },
    callGroup: groups.call,
    listGroups: (request, done) => groups.list(request, done),
    nextProducerId: () => main.request('producer-id', null) as Promise<number>,
    status: () => main.request('status', null) as Promise<string>,
    admin: (command) => main.request('admin', command) as Promise<string>,
    configs,
  };
}

export function handlerSettings({ cluster }: BrokerConfig): HandlerSettings {
  const { settings } = cluster;
  return {
    isAutoCreate: settings['auto.create.topics.enable'],
    offsetsPartitions: settings['offsets.topic.num.partitions'],
    offsetsReplicationFactor: settings['offsets.topic.replication.factor'],
    fetchBytesMax: settings['fetch.max.bytes'],
  };
}
