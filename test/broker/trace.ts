/**
 * Reads what `strace -f -yy` wrote. Its order is the order of events: a call during which something
 * else happened stands on two lines, where it began and where it ended.
 *
 *     4711 fdatasync(31</data/00.log> <unfinished ...>
 *     4712 write(7<pipe:[1]>, "x", 1) = 1
 *     4711 <... fdatasync resumed>) = 0
 */

export type SystemCall = {
  readonly thread: number;
  readonly name: string;
  /** Everything between the brackets; -yy has put names behind descriptors. */
  readonly on: string;
  /** -1 when it failed. */
  readonly result: number;
  /** Places in the trace. */
  readonly startsAt: number;
  readonly endsAt: number;
};

const LINE = /^(\d+) +(.*)$/;
const WHOLE = /^(\w+)\((.*)\) += +(-?\d+)/;
const BEGUN = /^(\w+)\((.*) <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)\) += +(-?\d+)/;

/** Calls in the order in which they ended. */
export function parseTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, { readonly on: string; readonly startsAt: number }>();
  for (const [at, line] of text.split('\n').entries()) {
    const [, threadText, rest = ''] = LINE.exec(line) ?? [];
    const thread = Number(threadText);
    const whole = WHOLE.exec(rest);
    const begun = BEGUN.exec(rest);
    const resumed = RESUMED.exec(rest);
    if (whole !== null) {
      const [, name = '', on = '', result] = whole;
      calls.push({ thread, name, on, result: Number(result), startsAt: at, endsAt: at });
    } else if (begun !== null) {
      open.set(`${thread} ${begun[1]}`, { on: begun[2] ?? '', startsAt: at });
    } else if (resumed !== null) {
      const [, name = '', more = '', result] = resumed;
      const start = open.get(`${thread} ${name}`);
      if (start === undefined) continue;
      const on = `${start.on}${more}`;
      calls.push({
        thread,
        name,
        on,
        result: Number(result),
        startsAt: start.startsAt,
        endsAt: at,
      });
    }
  }
  return calls;
}
