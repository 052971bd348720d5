/**
 * Runs every transcript of test/raft/scenarios and compares what happens with what it says.
 * `node dist/test/raft/scenarios.test.js --rewrite` writes down what happens: read the diff.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Scenario } from './scenario.js';

const DIRECTORY = new URL('../../../test/raft/scenarios/', import.meta.url);
const isRewriting = process.argv.includes('--rewrite');

/** The whole transcript anew: the same commands, and what they say now. */
function replay(text: string): string {
  const scenario = new Scenario();
  const blocks: string[] = [];
  for (const block of text.trimEnd().split(/\n\n+/)) {
    const [commands = ''] = block.split(/^----$/m);
    const said: string[] = [];
    const lines = commands.trimEnd().split('\n');
    for (const line of lines) {
      if (line.startsWith('#') || line.trim() === '') continue;
      said.push(...scenario.run(line));
    }
    const isProse = lines.every((line) => line.startsWith('#'));
    blocks.push(isProse ? lines.join('\n') : [...lines, '----', ...said].join('\n'));
  }
  return `${blocks.join('\n\n')}\n`;
}

for (const name of readdirSync(DIRECTORY).filter((file) => file.endsWith('.txt'))) {
  test(name, () => {
    const file = new URL(name, DIRECTORY);
    const text = readFileSync(file, 'utf8');
    const actual = replay(text);
    if (isRewriting) writeFileSync(file, actual);
    else assert.fixture(actual, text);
  });
}

test.run();
