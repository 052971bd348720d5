/** The programs of examples/stream-reader, as they lie there, against real nodes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';
import { type CommandResult, runCommand } from '../../support/command.js';
import { missingCommand, testWith } from '../../support/requires.js';

const EXAMPLES = fileURLToPath(new URL('../../../../examples/stream-reader/', import.meta.url));
const STREAM = '/topics/logs/partitions/0/stream';
const BATCHES = 40;
const RECORDS = 25;
const COUNT = BATCHES * RECORDS;
const ALL = `${COUNT} records in ${BATCHES} batches, next offset ${COUNT}\n`;

type Reader = {
  readonly name: string;
  readonly command: string;
  readonly file: string;
  readonly missing: string | null;
};

const READERS: readonly Reader[] = [
  { name: 'Node', command: process.execPath, file: 'read-stream.mjs', missing: null },
  {
    name: 'Python',
    command: 'python3',
    file: 'read_stream.py',
    missing: missingCommand('python3', 'apt-get install python3'),
  },
];

let cluster: TestCluster;

function url(node: number, path: string): string {
  return `http://127.0.0.1:${cluster.basePort + 200 + node}${path}`;
}

function read({ command, file }: Reader, address: string): Promise<CommandResult> {
  return runCommand(command, [`${EXAMPLES}${file}`, address], { timeoutMs: 60_000 });
}

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('logs', 1);
  for (let batch = 0; batch < BATCHES; batch++) {
    const lines = Array.from({ length: RECORDS }, (_, i) => JSON.stringify({ value: `${i}` }));
    const response = await fetch(url(1, '/topics/logs/records?partition=0'), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    assert.is(response.status, 200, await response.text());
  }
});
test.after(() => cluster.down());

/** One answer with these bytes, as a node would send it. */
async function withBytes(
  bytes: Buffer,
  headers: Record<string, string>,
  body: (address: string) => Promise<void>,
): Promise<void> {
  const server = createServer((_, response) => response.writeHead(200, headers).end(bytes));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
  }
}

for (const reader of READERS) {
  const { name, missing } = reader;

  testWith(missing)(`${name} counts the records of every node's stream`, async () => {
    for (const node of [1, 2, 3]) {
      const { status, stdout, stderr } = await read(reader, url(node, STREAM));
      assert.equal([status, stdout], [0, ALL], stderr);
    }
    const half = await read(reader, url(1, `${STREAM}?offset=${COUNT / 2}`));
    assert.match(half.stdout, /^500 records in 20 batches, next offset 1000$/m);
  });

  testWith(missing)(`${name} sees a wrong byte and a missing end`, async () => {
    const answer = await fetch(url(1, STREAM));
    const bytes = Buffer.from(await answer.arrayBuffer());
    const headers = Object.fromEntries(
      [...answer.headers].filter(([header]) => header.startsWith('lograft-')),
    );
    const firstBytes = 12 + bytes.readInt32BE(8);
    const damaged = Buffer.from(bytes);
    // In the second batch, behind what its checksum does not cover.
    damaged[firstBytes + 70] = ~(damaged[firstBytes + 70] as number) & 0xff;
    const cases: readonly (readonly [Buffer, RegExp | null])[] = [
      [bytes, null],
      [damaged, /damaged/],
      [bytes.subarray(0, -1), /cut off/],
      [bytes.subarray(0, firstBytes), /cut off/],
    ];
    for (const [sent, complaint] of cases) {
      await withBytes(sent, headers, async (address) => {
        const { status, stdout, stderr } = await read(reader, address);
        if (complaint === null) assert.equal([status, stdout], [0, ALL], stderr);
        else {
          assert.is(status, 1, stdout);
          assert.match(stderr, complaint);
        }
      });
    }
  });
}

test.run();
