/**
 * The admin clients of a control plan: one request at a time for each name, to whichever node is
 * up, with a patience of its own. What is answered is held against the history at once; what is not
 * may have happened.
 */
import { LograftError } from '#src/base/errors.js';
import type { Prng } from '#src/base/prng.js';
import type { ControlOp, ControlResult } from '#src/control/operations.js';
import type { World } from '../world.js';
import { judgeAnswer } from './admin-judge.js';
import type { AdminOperation } from './admin-load.js';
import type { ControlHistory, Moment } from './control-history.js';
import type { ControlNode } from './control-node.js';
import { SettleWatch } from './settle-watch.js';

export type Fate = ControlResult<ControlOp['kind']> | LograftError;

export type AdminClientsOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly nodes: readonly ControlNode[];
  readonly history: ControlHistory;
  readonly timeoutMs: number;
  /** Links refuse control messages now and then. */
  readonly isRefusing: boolean;
};

/** A request and what was known when it was made. */
export type Asked = {
  readonly op: ControlOp;
  readonly moment: Moment;
  /** Nothing that was asked before for this name is still open anywhere. */
  readonly isAlone: boolean;
};

/** What the client does with a name. */
type Name = {
  /** What is asked now; null when nothing is. */
  kind: ControlOp['kind'] | null;
  /** What was never answered: it may be done at any time. */
  readonly lost: Set<ControlOp['kind']>;
};

const CONFIG = 'segment.ms';

export class AdminClients {
  acked = 0;
  readonly #o: AdminClientsOptions;
  readonly #names = new Map<string, Name>();
  readonly #blocks = new Set<number>();

  constructor(options: AdminClientsOptions) {
    this.#o = options;
  }

  run(operation: Exclude<AdminOperation, { kind: 'produce' }>): void {
    const node = this.#nodeFor(operation.node);
    if (node === null) return;
    if (operation.kind === 'block') {
      this.ask(node, { kind: 'allocateProducerIds', nodeId: node.nodeId }, null);
      return;
    }
    const name = nameOf(operation.name);
    this.ask(node, this.#opOf(operation, name), name);
  }

  /** Of the node asked first, or of another that is up. */
  #nodeFor(nodeId: number): ControlNode | null {
    const { nodes, random } = this.#o;
    const wanted = nodes[nodeId - 1];
    if (wanted?.isUp) return wanted;
    const up = nodes.filter(({ isUp }) => isUp);
    return up.length === 0 ? null : random.pick(up);
  }

  #opOf(
    operation: Exclude<AdminOperation, { kind: 'produce' | 'block' }>,
    name: string,
  ): ControlOp {
    switch (operation.kind) {
      case 'create': {
        const { partitions, replication: replicationFactor } = operation;
        const topic = { name, partitions, replicationFactor, assignments: null, configs: {} };
        return { kind: 'createTopics', topics: [topic], isValidateOnly: false };
      }
      case 'delete':
        return { kind: 'deleteTopics', topics: [{ name }] };
      case 'grow': {
        const have = this.#o.history.image.topics.get(name)?.partitions.length ?? 1;
        const topics = [{ name, count: have + operation.by, assignments: null }];
        return { kind: 'createPartitions', topics, isValidateOnly: false };
      }
      case 'configure': {
        const changes = [{ name: CONFIG, operation: 'set', value: `${operation.value}` }] as const;
        return { kind: 'alterConfigs', topics: [{ name, changes }], isValidateOnly: false };
      }
    }
  }

  /** False when the client still waits for an answer about this name. */
  ask(
    node: ControlNode,
    op: ControlOp,
    about: string | null,
    done: (fate: Fate | null) => void = () => undefined,
  ): boolean {
    const { history, timeoutMs } = this.#o;
    const name = about === null ? null : this.#find(about);
    if (name !== null && name.kind !== null) return false;
    if (name !== null) name.kind = op.kind;
    const asked: Asked = { op, moment: history.now(), isAlone: name?.lost.size === 0 };
    node.serve<Fate>(
      (answer) => {
        const { control } = node;
        if (control === null) answer(new LograftError('NOT_RUNNING', 'this node is starting'));
        else control.ask(op, timeoutMs, answer);
      },
      (fate) => {
        if (name !== null) name.kind = null;
        this.#onFate(node, asked, name, fate);
        done(fate);
      },
    );
    return true;
  }

  /** Whether such a request about this name may still be under way. */
  isAskedFor(kind: ControlOp['kind'], about: string): boolean {
    const name = this.#names.get(about);
    return name !== undefined && (name.kind === kind || name.lost.has(kind));
  }

  #onFate(node: ControlNode, asked: Asked, name: Name | null, fate: Fate | null): void {
    const { world, history, random } = this.#o;
    const { op } = asked;
    if (fate === null || fate instanceof LograftError) {
      const isDefinite = fate?.code === 'NOT_RUNNING';
      if (!isDefinite) name?.lost.add(op.kind);
      world.branch(isDefinite ? 'asked-too-early' : `outcome-unknown ${fate?.code ?? 'died'}`);
      return;
    }
    world.note(`answer ${op.kind} ${fate.offset}`);
    const summary = judgeAnswer(history, asked, fate, this.#blocks);
    world.branch(`${op.kind} ${summary}`);
    if (summary === 'done') this.acked++;
    if (node.control?.controllerId !== node.nodeId) world.branch('request-forwarded');
    history.onAnswered(fate.offset);
    if (random.chance(0.5)) new SettleWatch(this.#o).run(node, fate.offset);
  }

  #find(about: string): Name {
    const known = this.#names.get(about);
    if (known !== undefined) return known;
    const fresh = { kind: null, lost: new Set<ControlOp['kind']>() };
    this.#names.set(about, fresh);
    return fresh;
  }
}

export function nameOf(name: number): string {
  return `topic-${name}`;
}
