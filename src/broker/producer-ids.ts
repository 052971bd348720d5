/**
 * Hands out producer ids of this broker from blocks that the controller commits: an id is given to
 * one producer only (M4). Main thread.
 */
import type { ControlPlane } from '../control/control-plane.js';
import { LograftError } from '../base/errors.js';
import type { NodeId } from '../base/units.js';

const ALLOCATE_MS_MAX = 5_000;

export class ProducerIds {
  readonly #nodeId: NodeId;
  #next = 0;
  #end = 0;
  #allocation: Promise<void> | null = null;

  constructor(nodeId: NodeId) {
    this.#nodeId = nodeId;
  }

  async next(control: ControlPlane | null): Promise<number> {
    while (this.#next >= this.#end) {
      if (control === null) throw new LograftError('NOT_RUNNING', 'this node is starting');
      this.#allocation ??= this.#allocate(control).finally(() => {
        this.#allocation = null;
      });
      await this.#allocation;
    }
    return this.#next++;
  }

  async #allocate(control: ControlPlane): Promise<void> {
    const operation = { kind: 'allocateProducerIds', nodeId: this.#nodeId } as const;
    const { value } = await control.request(operation, ALLOCATE_MS_MAX);
    if (value.error !== null) throw new LograftError('INVALID_REQUEST', `${value.error}`);
    this.#next = value.firstProducerId;
    this.#end = value.firstProducerId + value.count;
  }
}
