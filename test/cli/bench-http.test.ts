/** `lograft bench http` on real nodes: what it counts is in the log, what goes wrong has a name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';

let cluster: TestCluster;

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('orders', 2);
});
test.after(() => cluster.down());

async function bench(...args: string[]): Promise<Record<string, unknown>> {
  const all = ['--format', 'json', 'bench', 'http', '--seconds', '1', ...args];
  const { stdout } = await cluster.mustRun(all);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function topics(): Promise<string[]> {
  const { stdout } = await cluster.mustRun(['--format', 'json', 'topic', 'list']);
  return (JSON.parse(stdout) as { readonly name: string }[]).map(({ name }) => name);
}

test('without a topic it makes one, through every door, and removes it', async () => {
  const result = await bench('--connections', '6');
  assert.is((result['urls'] as string[]).length, 3);
  assert.ok(Number(result['acknowledged']) > 0);
  assert.ok(Number(result['grownRecords']) >= Number(result['acknowledged']));
  assert.equal(result['faults'], []);
  assert.equal(await topics(), ['orders']);
});

test('lines go to the topic that is named, and stay', async () => {
  const load = ['orders', '--connections', '3', '--records', '7', '--size', '20'];
  const result = await bench(...load, '--rate', '30');
  const grown = Number(result['grownRecords']);
  assert.ok(grown >= 7 * Number(result['acknowledged']) && grown % 7 === 0, `${grown} records`);
  const consumed = await cluster.consumed('orders');
  // Each connection may have had a request under way when the load ended: it counts for nobody.
  const late = consumed.length - grown;
  assert.ok(late >= 0 && late <= 3 * 7 && late % 7 === 0, `${late} records came later`);
  assert.ok(consumed.every((value) => value === 'x'.repeat(20)));
});

test('what is wrong is named', async () => {
  for (const [args, status, text] of [
    [['nope'], 1, /there is no topic "nope"/],
    [['--url', 'ftp://x'], 2, /--url ftp:\/\/x: expected http/],
    [['--url', 'http://127.0.0.1:1'], 3, /127\.0\.0\.1:1 does not answer/],
    [['--connections', '0'], 2, /--connections 0/],
  ] as const) {
    const result = await cluster.run(['bench', 'http', ...args]);
    assert.is(result.status, status, args.join(' '));
    assert.match(result.stderr, text);
  }
});

test.run();
