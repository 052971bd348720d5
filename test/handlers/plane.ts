/** What the tests of the data plane share: a door to a broker, and new topics behind it. */
import { Door } from './kit.js';

/** Partitions enough that every shard has some. */
export const PARTITIONS = 8;
export const ALL: readonly number[] = Array.from({ length: PARTITIONS }, (_, i) => i);

export type Plane = {
  readonly door: Door;
  readonly address: string;
  /** Creates a topic of {@link PARTITIONS} partitions and returns its name. */
  readonly newTopic: (configs?: Readonly<Record<string, string>>) => Promise<string>;
};

export async function openPlane(address: string): Promise<Plane> {
  const door = await Door.open(address);
  let topics = 0;
  const newTopic: Plane['newTopic'] = async (configs = {}) => {
    const name = `topic-${++topics}`;
    await door.createTopic(name, PARTITIONS, configs);
    return name;
  };
  return { door, address, newTopic };
}
