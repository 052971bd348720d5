/**
 * What shards ask of the main thread on behalf of clients: decisions of the controller, with the
 * wait until every broker knows them, and administrative commands. Main thread.
 */
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import { isLogLevel, LOG_LEVELS, type LogLevel } from '../base/log-levels.js';
import type { TopicId } from '../base/units.js';
import type { ControlPlane } from '../control/control-plane.js';
import type { ControlOp, ControlResult } from '../control/operations.js';
import type { ControlCall, ShardNotices } from './thread-messages.js';

/** @throws LograftError TIMED_OUT when no controller answered in time: indefinite */
export async function decide(
  control: ControlPlane | null,
  clock: Clock,
  { operation, timeoutMs }: ControlCall,
): Promise<ControlResult<ControlOp['kind']>> {
  if (control === null) throw new LograftError('TIMED_OUT', 'this node is starting');
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const result = await control.request(operation, timeoutMs);
  const isDryRun = 'isValidateOnly' in operation && operation.isValidateOnly;
  if (isDryRun) return result;
  // When the client hears of it every broker should know it, with its leaders (CLIENTS trap 11).
  const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
  await control.awaitEverywhere(result.offset, topicsToLead(control, operation), leftMs);
  return result;
}

/** Topics whose leaders the client will ask for next. */
function topicsToLead({ image }: ControlPlane, operation: ControlOp): TopicId[] {
  if (operation.kind !== 'createTopics' && operation.kind !== 'createPartitions') return [];
  const topics = operation.topics.map(({ name }) => image.topics.get(name));
  return topics.flatMap((topic) => (topic === undefined ? [] : [topic.topicId]));
}

export type AdminCommand =
  | { readonly op: 'transfer-leader'; readonly transfer: ShardNotices['transfer'] }
  /** Null only asks for the level. */
  | { readonly op: 'log-level'; readonly level: LogLevel | null };

/**
 * `{"op":"transfer-leader","topic":…,"partition":…,"to":…}` or `{"op":"log-level","level":…}`.
 * @throws LograftError INVALID_REQUEST
 */
export function parseCommand(control: ControlPlane | null, text: string): AdminCommand {
  const command = parseObject(text);
  switch (command['op']) {
    case 'transfer-leader':
      return { op: 'transfer-leader', transfer: parseTransfer(control, command) };
    case 'log-level':
      return { op: 'log-level', level: parseLevel(command['level']) };
    default:
      throw new LograftError('INVALID_REQUEST', `unknown admin command ${text}`);
  }
}

function parseLevel(level: unknown): LogLevel | null {
  if (level === undefined) return null;
  if (isLogLevel(level)) return level;
  const known = LOG_LEVELS.join(', ');
  throw new LograftError('INVALID_REQUEST', `log level ${JSON.stringify(level)}: it is ${known}`);
}

function parseTransfer(
  control: ControlPlane | null,
  { topic: name, partition, to }: Readonly<Record<string, unknown>>,
): ShardNotices['transfer'] {
  const topic = typeof name === 'string' ? control?.image.topics.get(name) : undefined;
  if (topic === undefined) {
    throw new LograftError('INVALID_REQUEST', `unknown topic ${JSON.stringify(name)}`);
  }
  if (!Number.isInteger(partition) || !Number.isInteger(to)) {
    throw new LograftError('INVALID_REQUEST', 'transfer-leader needs a partition and a node');
  }
  return { topicId: topic.topicId, partition: partition as number, to: to as number };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Not JSON at all: the same answer as for JSON that is no object.
  }
  throw new LograftError('INVALID_REQUEST', `an admin command is a JSON object, not ${text}`);
}
