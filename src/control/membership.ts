/**
 * This node's own place in the cluster: it registers as a new process, tells the controller that it
 * lives and how far it has come, and learns whether it belongs at all. Main thread, driven by
 * ticks.
 */
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import { LEADER_NONE, type MonotonicMs, type NodeId, type Offset } from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import type { ClusterImage } from './image.js';
import { REGISTRATION_RETRY_MS } from './limits.js';
import type { HeartbeatMessage } from './messages.js';
import type { ControlResult, RegisterBrokerOp } from './operations.js';

/**
 * pending: not yet in the image as this process; registered: it is, so the image is newer than any
 * folder of this node; stranger: the node id belongs to another directory.
 */
export type Registration = 'pending' | 'registered' | 'stranger';

export type RegistrationFate = ControlResult<'registerBroker'> | LograftError;

export type MembershipOptions = {
  readonly self: VoterId;
  readonly broker: Omit<RegisterBrokerOp, 'kind' | 'nodeId' | 'directoryId'>;
  readonly heartbeatIntervalMs: number;
  readonly clock: Clock;
  readonly controllerId: () => NodeId;
  readonly appliedOffset: () => Offset;
  readonly register: (op: RegisterBrokerOp, done: (fate: RegistrationFate) => void) => void;
  /** False: it did not leave, try again. */
  readonly sendHeartbeat: (to: NodeId, message: HeartbeatMessage) => boolean;
  readonly onState: () => void;
  readonly logger: Logger;
};

export class Membership {
  readonly #options: MembershipOptions;
  #registration: Registration = 'pending';
  #isRegistering = false;
  #registerAtMs: MonotonicMs = -Infinity;
  #heartbeatAtMs: MonotonicMs = -Infinity;
  #isReady = false;
  #reconciledOffset: Offset = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  get registration(): Registration {
    return this.#registration;
  }

  setReady(isReady: boolean): void {
    this.#isReady = isReady;
    this.heartbeatSoon();
    this.#maybeHeartbeat(this.#options.clock.monotonicMs());
  }

  setReconciled(offset: Offset): void {
    this.#reconciledOffset = Math.max(this.#reconciledOffset, offset);
  }

  /** The next tick tells the controller, whatever the interval. */
  heartbeatSoon(): void {
    this.#heartbeatAtMs = -Infinity;
  }

  onImage(image: ClusterImage): void {
    const { self, broker } = this.#options;
    const known = image.brokers.get(self.nodeId);
    const isOurs =
      known?.directoryId === self.directoryId && known.incarnation === broker.incarnation;
    if (isOurs === (this.#registration === 'registered')) return;
    this.#registration = isOurs ? 'registered' : 'pending';
    this.heartbeatSoon();
    this.#options.onState();
  }

  tick(nowMs: MonotonicMs): void {
    this.#maybeRegister(nowMs);
    this.#maybeHeartbeat(nowMs);
  }

  #maybeRegister(nowMs: MonotonicMs): void {
    const { self, broker, controllerId, register } = this.#options;
    if (this.#registration !== 'pending' || this.#isRegistering) return;
    if (controllerId() === LEADER_NONE) return;
    if (nowMs - this.#registerAtMs < REGISTRATION_RETRY_MS) return;
    this.#registerAtMs = nowMs;
    this.#isRegistering = true;
    register({ kind: 'registerBroker', ...self, ...broker }, (fate) => {
      this.#isRegistering = false;
      if (!(fate instanceof LograftError)) {
        if (fate.value.isStranger) this.#becomeStranger(fate.value.message);
      } else if (fate.code !== 'CLOSED') {
        const { code, message } = fate;
        this.#options.logger.warn({ code, reason: message }, 'not registered yet');
      }
    });
  }

  #becomeStranger(reason: string | null): void {
    if (this.#registration === 'registered') return;
    this.#registration = 'stranger';
    this.#options.logger.error({ reason }, 'this node is a stranger: it neither votes nor counts');
    this.#options.onState();
  }

  #maybeHeartbeat(nowMs: MonotonicMs): void {
    const { self, broker, heartbeatIntervalMs } = this.#options;
    const to = this.#options.controllerId();
    if (this.#registration !== 'registered' || to === LEADER_NONE) return;
    if (nowMs - this.#heartbeatAtMs < heartbeatIntervalMs) return;
    const hasLeft = this.#options.sendHeartbeat(to, {
      kind: 'heartbeat',
      ...self,
      incarnation: broker.incarnation,
      appliedOffset: this.#options.appliedOffset(),
      reconciledOffset: this.#reconciledOffset,
      isReady: this.#isReady,
    });
    if (hasLeft) this.#heartbeatAtMs = nowMs;
  }
}
