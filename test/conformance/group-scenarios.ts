/**
 * What every client's consumer group must live through, told once. A client takes part with a
 * program that reads as a member of a group and prints `partition offset value` for each record.
 */
import * as assert from 'uvu/assert';
import type { Child } from '../support/child.js';
import type { TestCluster } from '../support/cluster.js';
import { coordinatorOf, lagOf } from '../support/group.js';
import { waitFor } from '../support/wait-for.js';

export type GroupKit = {
  /** Client's name, part of the names of topics and groups. */
  readonly name: string;
  readonly cluster: TestCluster;
  /** Starts a member: from the earliest offset when nothing is committed, commits often. */
  member(topic: string, group: string): Child;
  produce(topic: string, partition: number, values: readonly string[]): Promise<void>;
};

const PARTITIONS = 4;
const PATIENCE = { timeoutMs: 45_000, everyMs: 200 };

type Seen = { readonly partition: number; readonly offset: number; readonly value: string };

function seenBy(child: Child): Seen[] {
  return child.lines.flatMap((line) => {
    const match = /^(\d+) (\d+) (\S+)$/.exec(line);
    if (match === null) return [];
    return [{ partition: Number(match[1]), offset: Number(match[2]), value: match[3] as string }];
  });
}

/** Writes `count` records to every partition, with values that say which round they are of. */
async function feed(kit: GroupKit, topic: string, round: string, count: number): Promise<string[]> {
  const all: string[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values = Array.from({ length: count }, (_, i) => `${round}-${partition}-${i}`);
    await kit.produce(topic, partition, values);
    all.push(...values);
  }
  return all;
}

function hasRead(child: Child, values: readonly string[]): boolean {
  const seen = new Set(seenBy(child).map(({ value }) => value));
  return values.every((value) => seen.has(value));
}

/** Two members share the partitions; when one is killed the other one takes all of them. */
export async function twoMembersAndADeath(kit: GroupKit): Promise<void> {
  const topic = `${kit.name}-shared`;
  const group = `${kit.name}-pair`;
  await kit.cluster.createTopic(topic, PARTITIONS);
  const written = await feed(kit, topic, 'first', 5);
  const first = kit.member(topic, group);
  await waitFor('the first member to read all', () => hasRead(first, written), PATIENCE);
  const second = kit.member(topic, group);
  let round = 0;
  let shared: string[] = [];
  await waitFor(
    'both members to read',
    async () => {
      round += 1;
      shared = await feed(kit, topic, `shared${round}`, 1);
      written.push(...shared);
      return seenBy(second).length > 0;
    },
    PATIENCE,
  );
  const last = await feed(kit, topic, 'settled', 3);
  written.push(...last);
  const valuesOf = (child: Child): Set<string> => new Set(seenBy(child).map(({ value }) => value));
  const isSplit = (): boolean => {
    const [a, b] = [valuesOf(first), valuesOf(second)];
    return last.every((value) => a.has(value) || b.has(value));
  };
  await waitFor('the two to read everything between them', isSplit, PATIENCE);
  const partitionsOf = (child: Child): Set<number> =>
    new Set(
      seenBy(child)
        .filter(({ value }) => value.startsWith('settled'))
        .map(({ partition }) => partition),
    );
  assert.is(partitionsOf(first).size, PARTITIONS / 2, 'partitions of the first member');
  assert.is(partitionsOf(second).size, PARTITIONS / 2, 'partitions of the second member');

  await second.kill('SIGKILL');
  const afterDeath = await feed(kit, topic, 'after', 3);
  await waitFor('the survivor to take over', () => hasRead(first, afterDeath), PATIENCE);
  await waitForNoLag(kit, group, topic);
  await first.kill('SIGTERM');
}

/** Members come and go and the coordinator is killed: no record is skipped or read again. */
export async function resumeAfterCoordinatorDeath(kit: GroupKit): Promise<void> {
  const topic = `${kit.name}-resumed`;
  const group = `${kit.name}-keeper`;
  await kit.cluster.createTopic(topic, PARTITIONS);
  const before = await feed(kit, topic, 'before', 50);
  const first = kit.member(topic, group);
  await waitFor('everything to be read', () => hasRead(first, before), PATIENCE);
  await waitForNoLag(kit, group, topic);

  const coordinator = await coordinatorOf(kit.cluster.bootstrap, group);
  kit.cluster.signal(coordinator, 'SIGKILL');
  const during = await feed(kit, topic, 'during', 10);
  await waitFor('the member to go on', () => hasRead(first, during), PATIENCE);
  await waitForNoLag(kit, group, topic);
  const old = seenBy(first).filter(({ value }) => value.startsWith('before'));
  assert.is(old.length, before.length, 'a committed record was read again');
  await first.kill('SIGTERM');

  const second = kit.member(topic, group);
  const after = await feed(kit, topic, 'after', 5);
  await waitFor('the next member to read what is new', () => hasRead(second, after), PATIENCE);
  assert.equal(
    seenBy(second)
      .map(({ value }) => value)
      .sort(),
    [...after].sort(),
    'the next member read more than what was new',
  );
  await waitForNoLag(kit, group, topic);
  await second.kill('SIGTERM');
  await kit.cluster.startNode(coordinator, '--wait-in-sync');
}

async function waitForNoLag(kit: GroupKit, group: string, topic: string): Promise<void> {
  await waitFor(
    `the lag of ${group} to reach 0`,
    async () => (await lagOf(kit.cluster.bootstrap, group, topic)) === 0,
    PATIENCE,
  );
}
