/** The closed set of what the checker can find; the ids are those of docs and simulator. Pure. */

export const INVARIANTS = {
  K1: 'an acknowledged record is not read',
  K2: 'a record that nobody sent, or whose refusal was definite, is read',
  K3: 'one place shows two values',
  K4: 'a record sent after an ack has a lower offset than the acknowledged one',
  K5: 'a reader skipped a record, or was given one again',
  K6: 'a watermark, a log start or a leader epoch went back for a client',
  K7: 'an answer to a question asked after an ack does not know the acknowledged record',
  K8: 'a record above the high watermark was served',
  K9: 'leader epochs go back along a log, or differ for one batch',
  K10: 'a batch with a bad checksum was served',
  K11: 'an offset that is there was called out of range',
  P1: "an idempotent producer's record is there twice, or its sequences have a gap",
  P3: 'a retry within the window did not get the original offset',
  R1: 'one leader epoch has two leaders',
  R3: 'replicas differ below the high watermark',
  G1: 'a partition has two owners',
  G2: 'a generation came back',
  G3: 'a commit of an old generation was taken',
  G4: 'a committed position is not the last acknowledged one',
  G5: 'a group went past a record that no member was given',
  G6: 'partitions of a dead member had no owner for too long',
} as const;

export type ViolationId = keyof typeof INVARIANTS;

export type Violation = { readonly id: ViolationId; readonly text: string };

export type Report = (id: ViolationId, text: string) => void;
