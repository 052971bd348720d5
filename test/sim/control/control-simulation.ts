/**
 * Runs one plan of the control profile: faults under load, then a majority is healed and has to
 * decide again in bounded time, then all are, and everything that was promised is looked for.
 */
import type { VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import { Injector } from '../injector.js';
import type { SimMutant } from '../mutant.js';
import { Network } from '../network.js';
import { resultOf, type SimResult } from '../sim-result.js';
import { World } from '../world.js';
import { rottenSnapshot } from './rotten-snapshot.js';
import { AdminClients } from './admin-clients.js';
import type { AdminOperation } from './admin-load.js';
import { Aftermath } from './aftermath.js';
import { ControlHistory } from './control-history.js';
import { ControlNode } from './control-node.js';
import type { ControlPlan } from './control-plan.js';
import { TopicClients } from './topic-clients.js';

export type ControlOptions = {
  readonly mutant?: SimMutant | undefined;
  readonly isTraced?: boolean;
};

const LOOK_MS = 180;

export function simulateControl(plan: ControlPlan, options: ControlOptions = {}): SimResult {
  return resultOf(plan.seed, new ControlSimulation(plan, options));
}

class ControlSimulation {
  readonly world: World;
  readonly #plan: ControlPlan;
  readonly #random: Prng;
  readonly #history: ControlHistory;
  readonly #nodes: ControlNode[];
  readonly #injector: Injector;
  readonly #admins: AdminClients;
  readonly #topics: TopicClients;
  #isLoadOver = false;

  constructor(plan: ControlPlan, { mutant, isTraced }: ControlOptions) {
    const world = new World(isTraced);
    this.#plan = plan;
    this.world = world;
    const random = new Prng(plan.seed ^ 0x5eed);
    this.#random = random.fork();
    const network = new Network(world, random.fork(), plan.network);
    const history = new ControlHistory({
      world,
      isAnyDown: () => this.#nodes.some(({ isUp }) => !isUp),
      isAskedFor: (kind, name) => this.#admins.isAskedFor(kind, name),
    });
    this.#history = history;
    const voterIds = Array.from({ length: plan.nodes }, (_, i) => i + 1);
    const onSent = (node: ControlNode, type: string): void => this.#injector.onSent(node, type);
    const shared = { voterIds, plan, world, network, history, mutant, onSent };
    const nodes = voterIds.map((nodeId) => {
      const id: VoterId = { nodeId, directoryId: `directory-${nodeId}`.padEnd(22, '_') };
      return new ControlNode({ ...shared, id, random: random.fork() });
    });
    this.#nodes = nodes;
    this.#injector = new Injector({
      world,
      random: random.fork(),
      network,
      nodes,
      keepsIdentity: mutant?.keepsIdentity ?? false,
      transfer: () => this.#transfer(),
      onSpoilt: () => undefined,
      rotten: rottenSnapshot,
    });
    const timeoutMs = plan.control.requestMs;
    const isRefusing = plan.control.refusal > 0;
    const clients = { world, nodes, history, timeoutMs, isRefusing };
    this.#admins = new AdminClients({ ...clients, random: random.fork() });
    this.#topics = new TopicClients({ ...clients, random: random.fork() });
  }

  get acked(): number {
    return this.#admins.acked + this.#topics.acked;
  }

  run(): void {
    const { world } = this;
    const plan = this.#plan;
    for (const node of this.#nodes) world.at(0, () => node.start());
    this.#inOrder(plan.faults, ({ fault }) => this.#injector.inject(fault));
    this.#inOrder(plan.operations, ({ operation }) => this.#operate(operation));
    this.#lookLater();
    world.runUntil(plan.faultsUntilMs);
    this.#isLoadOver = true;
    new Aftermath({
      world,
      nodes: this.#nodes,
      random: this.#random,
      history: this.#history,
      admins: this.#admins,
      topics: this.#topics,
      isMajorityHealed: plan.isMajorityHealed,
      heal: (lucky) => this.#injector.heal(lucky),
    }).run();
  }

  #inOrder<T extends { readonly atMs: number }>(all: readonly T[], run: (one: T) => void): void {
    const step = (index: number): void => {
      const timed = all[index];
      if (timed === undefined) return;
      this.world.at(timed.atMs, () => {
        run(timed);
        step(index + 1);
      });
    };
    step(0);
  }

  #operate(operation: AdminOperation): void {
    if (this.#isLoadOver) return;
    if (operation.kind === 'produce') this.#topics.run(operation);
    else this.#admins.run(operation);
  }

  /** The controller is asked to make way for another. */
  #transfer(): boolean {
    const leader = this.#nodes.find((node) => node.main?.replica?.role === 'leader');
    leader?.turn(() => leader.main?.replica?.transferLeadership());
    return leader !== undefined;
  }

  #lookLater(): void {
    this.world.after(LOOK_MS, () => {
      this.#injector.lookAfter();
      this.#lookLater();
    });
  }
}
