/**
 * Random control messages, and as much of the control plane as takes them without a cluster: the
 * controller's decisions, liveness, the leader table, requests and settling.
 */
import { decide } from '#src/control/decide.js';
import { LeaderTable } from '#src/control/leader-table.js';
import { Liveness } from '#src/control/liveness.js';
import { isControlMessage } from '#src/control/message-check.js';
import type { ControlMessage } from '#src/control/messages.js';
import type { ControlOp } from '#src/control/operations.js';
import { Requests } from '#src/control/requests.js';
import { Settle } from '#src/control/settle.js';
import fc from 'fast-check';
import { decisionContext, directoryOf, idOf, imageWithBrokers } from '../../control/fixtures.js';
import { HandClock } from '../../log/support.js';

const plain = { noNullPrototype: true };
const name = fc.oneof(fc.constantFrom('a', 'b', 'c.d', 'c_d', '', '__proto__'), fc.string());
const nodeId = fc.nat(4);
const small = fc.oneof(fc.integer({ min: -2, max: 9 }), fc.integer(), fc.maxSafeInteger());
const topicId = fc.nat(9).map((n) => idOf('topic', n));
const assignments = fc.option(fc.array(fc.array(small, { maxLength: 3 }), { maxLength: 3 }));
const configs = fc.dictionary(
  fc.oneof(fc.constantFrom('retention.ms', 'cleanup.policy', 'durability', '__proto__'), name),
  fc.oneof(fc.constantFrom('-1', '5', 'delete', 'compact', 'synced'), name),
  plain,
);
const change = fc.record(
  {
    name: fc.constantFrom('retention.ms', 'cleanup.policy', 'toString', '__proto__'),
    operation: fc.constantFrom('set' as const, 'delete' as const, 'append' as const),
    value: fc.option(fc.constantFrom('1', 'delete', 'x')),
  },
  plain,
);
const isValidateOnly = fc.boolean();

/** `kind` first, the rest as said. */
function kindOf<K extends string, T>(kind: K, rest: { [P in keyof T]: fc.Arbitrary<T[P]> }) {
  return fc.record({ kind: fc.constant(kind), ...rest }, plain) as unknown as fc.Arbitrary<
    T & { kind: K }
  >;
}

const op = fc.oneof(
  kindOf('createTopics', {
    topics: fc.array(
      fc.record({ name, partitions: small, replicationFactor: small, assignments, configs }, plain),
      { maxLength: 3 },
    ),
    isValidateOnly,
  }),
  kindOf('deleteTopics', {
    topics: fc.array(fc.oneof(fc.record({ name }, plain), fc.record({ topicId }, plain)), {
      maxLength: 3,
    }),
  }),
  kindOf('createPartitions', {
    topics: fc.array(fc.record({ name, count: small, assignments }, plain), { maxLength: 3 }),
    isValidateOnly,
  }),
  kindOf('alterConfigs', {
    topics: fc.array(fc.record({ name, changes: fc.array(change, { maxLength: 3 }) }, plain), {
      maxLength: 3,
    }),
    isValidateOnly,
  }),
  kindOf('registerBroker', {
    nodeId,
    directoryId: nodeId.map(directoryOf),
    incarnation: name,
    kafka: fc.record({ host: name, port: fc.nat() }, plain),
    peer: fc.record({ host: name, port: fc.nat() }, plain),
    rack: fc.option(name),
    shards: fc.nat(),
  }),
  kindOf('allocateProducerIds', { nodeId }),
) as fc.Arbitrary<ControlOp>;

const answer = fc.oneof(
  kindOf('done', { offset: fc.nat(), value: fc.constant(null) }),
  kindOf('not-controller', { leaderId: fc.integer({ min: -1, max: 4 }) }),
  kindOf('busy', {}),
);
const requestId = fc.constantFrom('r0', 'r1', 'r2');

export const controlMessages = fc.oneof(
  { weight: 4, arbitrary: kindOf('request', { requestId: name, op }) },
  kindOf('response', { requestId, answer }),
  kindOf('heartbeat', {
    nodeId,
    directoryId: nodeId.map(directoryOf),
    incarnation: nodeId.map((n) => idOf('run', n)),
    appliedOffset: fc.nat(),
    reconciledOffset: fc.nat(),
    isReady: fc.boolean(),
  }),
  kindOf('leaders', {
    entries: fc.array(
      fc.record(
        {
          topicId,
          partition: fc.nat(5),
          leaderId: fc.integer({ min: -1, max: 4 }),
          leaderEpoch: fc.nat(9),
          inSync: fc.array(nodeId, { maxLength: 3 }),
          version: fc.nat(9),
        },
        plain,
      ),
      { maxLength: 4 },
    ),
  }),
  kindOf('settle', {
    id: fc.nat(9),
    offset: fc.nat(20),
    topicIds: fc.array(topicId, { maxLength: 3 }),
  }),
  kindOf('settled', { id: fc.nat(3) }),
) as fc.Arbitrary<ControlMessage>;

export class ControlBench {
  readonly #clock = new HandClock();
  readonly #context = decisionContext();
  readonly #table = new LeaderTable();
  readonly #liveness = new Liveness(1_000, this.#clock.monotonicMs());
  #image = imageWithBrokers(3);
  #requestCount = 0;
  readonly #settle = new Settle({
    self: 1,
    clock: this.#clock,
    image: () => this.#image,
    table: this.#table,
    send: () => true,
    barrier: (done) => done(),
  });
  readonly #requests = new Requests({
    clock: this.#clock,
    newRequestId: () => `r${this.#requestCount++}`,
    controllerId: () => 2,
    send: () => undefined,
  });

  constructor() {
    const ignored = (): void => undefined;
    this.#requests.ask({ kind: 'allocateProducerIds', nodeId: 1 }, 1_000, ignored);
    this.#settle.everywhere(0, [], 1_000, ignored);
  }

  /** Takes a value as the broker does: what is no message is ignored. */
  receive(value: unknown): boolean {
    if (!isControlMessage(value)) return false;
    switch (value.kind) {
      case 'request': {
        this.#image = decide(this.#image, value.requestId, value.op, this.#context).image;
        break;
      }
      case 'response':
        this.#requests.onAnswer(2, value.requestId, value.answer);
        break;
      case 'heartbeat':
        this.#liveness.heard(value, this.#clock.monotonicMs());
        this.#liveness.judge(this.#image, this.#clock.monotonicMs());
        this.#liveness.reconciledEverywhere(this.#image);
        break;
      case 'leaders':
        this.#table.merge(value.entries);
        this.#settle.onProgress();
        break;
      case 'settle':
        this.#settle.onSettle(2, value);
        break;
      case 'settled':
        this.#settle.onSettled(2, value.id);
    }
    return true;
  }
}
