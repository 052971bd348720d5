/**
 * Whether an answer of the control plane is true: what it acknowledges is committed behind the
 * moment it was asked for, what it refuses was so at some point since, and nothing acknowledged
 * before has gone.
 */
import type { ClusterImage } from '#src/control/image.js';
import type { ControlOp, ControlResult, ControlResults, Outcome } from '#src/control/operations.js';
import type { MetadataRecord } from '#src/control/records.js';
import { Violation } from '../world.js';
import type { Asked } from './admin-clients.js';
import type { ControlHistory } from './control-history.js';

type Result = ControlResult<ControlOp['kind']>;

/** Returns what was answered, in a word. */
export function judgeAnswer(
  history: ControlHistory,
  asked: Asked,
  { offset, value }: Result,
  blocks: Set<number>,
): string {
  const { op, moment } = asked;
  if (offset > history.length) {
    throw new Violation('M1', `${op.kind} is acknowledged at ${offset} of ${history.length}`);
  }
  if (offset < moment.ackedOffset) {
    const newest = moment.ackedOffset;
    throw new Violation('R13', `${op.kind} is answered as of ${offset}, asked after ${newest}`);
  }
  if (op.kind === 'allocateProducerIds') {
    judgeBlock(history, asked, offset, value as ControlResults['allocateProducerIds'], blocks);
    return 'done';
  }
  const [outcome] = value as readonly Outcome[];
  const { error } = outcome as Outcome;
  if (error === null) judgeDone(history, asked, { offset, value });
  else judgeRefused(history, asked, offset, error);
  return error ?? 'done';
}

function judgeBlock(
  history: ControlHistory,
  { moment }: Asked,
  offset: number,
  { firstProducerId }: ControlResults['allocateProducerIds'],
  blocks: Set<number>,
): void {
  if (blocks.has(firstProducerId)) {
    throw new Violation('M4', `block ${firstProducerId} is given twice`);
  }
  blocks.add(firstProducerId);
  mustHold(history, moment.length, offset, `block ${firstProducerId}`, (record) => {
    return record.kind === 'producer-id-block' && record.firstProducerId === firstProducerId;
  });
}

function judgeDone(
  history: ControlHistory,
  { op, moment }: Asked,
  { offset, value }: Result,
): void {
  const mustFind = (what: string, isIt: (record: MetadataRecord) => boolean): void =>
    mustHold(history, moment.length, offset, what, isIt);
  switch (op.kind) {
    case 'createTopics': {
      const [created] = value as ControlResults['createTopics'];
      const name = op.topics[0]?.name;
      return mustFind(`creation of ${name} ${created?.topicId}`, (record) => {
        if (record.kind !== 'create-topic' || record.topicId !== created?.topicId) return false;
        return record.name === name && record.partitions.length === op.topics[0]?.partitions;
      });
    }
    case 'deleteTopics': {
      const [deleted] = value as ControlResults['deleteTopics'];
      return mustFind(`deletion of ${deleted?.topicId}`, (record) => {
        return record.kind === 'delete-topic' && record.topicId === deleted?.topicId;
      });
    }
    case 'createPartitions': {
      const { name, count } = op.topics[0] as { name: string; count: number };
      return mustFind(`growth of ${name} to ${count}`, (record) => {
        if (record.kind !== 'add-partitions') return false;
        return record.firstPartition + record.partitions.length === count;
      });
    }
    case 'alterConfigs': {
      const [change] = op.topics[0]?.changes ?? [];
      return mustFind(`configuration ${change?.value}`, (record) => {
        if (record.kind !== 'topic-configs' || change === undefined) return false;
        return record.configs[change.name] === change.value;
      });
    }
    default:
  }
}

function mustHold(
  history: ControlHistory,
  from: number,
  end: number,
  what: string,
  isIt: (record: MetadataRecord) => boolean,
): void {
  if (history.between(from, end).some(isIt)) return;
  throw new Violation('M1', `acknowledged and not committed in ${from}..${end}: ${what}`);
}

/** A refusal has to be true in some image since the request was made. */
function judgeRefused(
  history: ControlHistory,
  { op, moment, isAlone }: Asked,
  offset: number,
  error: NonNullable<Outcome['error']>,
): void {
  const name = 'topics' in op && op.topics[0] !== undefined ? nameIn(op.topics[0]) : '';
  // What somebody else may have done since is believed; one's own doing is no reason to refuse.
  const end = isAlone ? moment.length : offset;
  const wasOnce = (isSo: (image: ClusterImage) => boolean): boolean => {
    for (let at = moment.length; at <= end; at++) if (isSo(history.imageAt(at))) return true;
    return false;
  };
  const isTrue = ((): boolean => {
    switch (error) {
      case 'TOPIC_ALREADY_EXISTS':
        return wasOnce((image) => image.topics.has(name));
      case 'UNKNOWN_TOPIC_OR_PARTITION':
        return wasOnce((image) => !image.topics.has(name));
      case 'INVALID_PARTITIONS':
        return op.kind === 'createPartitions';
      case 'INVALID_REPLICATION_FACTOR':
        return op.kind === 'createTopics' || op.kind === 'createPartitions';
      default:
        return false;
    }
  })();
  if (isTrue) return;
  throw new Violation(
    'M1',
    `${op.kind} ${name} is refused with ${error} at ${offset}, asked at ${moment.length}`,
  );
}

function nameIn(topic: object): string {
  return (topic as { name: string }).name;
}
