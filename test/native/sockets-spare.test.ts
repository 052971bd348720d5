/** However many clients come, some descriptors stay free for files. */
import { connect } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.js';
import { sleep } from '../support/wait-for.js';

const MODULE = new URL('../../native/sockets.js', import.meta.url).href;
const LIMIT = 200;

/** Accepts what comes and, when it is told so, opens as many files as it can. */
const SERVER = `
  import { openSync } from 'node:fs';
  import { SocketLayer } from '${MODULE}';
  let accepted = 0;
  const handler = new Proxy({}, {
    get: (_, name) => name === 'onAccepted' ? () => { accepted += 1; } : () => undefined,
  });
  const layer = new SocketLayer({ frameBytesMax: 1 << 20, outboundBytesMax: 1 << 20, handler });
  const { port } = layer.listen('127.0.0.1', 0, 'handoff');
  process.stdin.once('data', () => {
    let files = 0;
    let code = '';
    try {
      for (;; files++) openSync('/dev/null');
    } catch (error) {
      code = error.code;
    }
    const { acceptBackoffs } = layer.counters();
    console.log(JSON.stringify({ accepted, files, acceptBackoffs, code }));
  });
  console.log('port ' + port);
`;

test('a flood of clients leaves descriptors for files', async () => {
  const node = [process.execPath, '--input-type=module', '-e', SERVER];
  const server = new Child('/bin/sh', ['-c', `ulimit -n ${LIMIT}; exec "$@"`, 'sh', ...node]);
  const port = Number((await server.line(/^port \d+$/)).slice(5));
  const clients = Array.from({ length: 2 * LIMIT }, () => connect(port, '127.0.0.1'));
  for (const client of clients) client.on('error', () => undefined);
  await sleep(500);
  server.send('count');
  const said = await server.line(/^\{/);
  for (const client of clients) client.destroy();
  await server.kill();
  const { accepted, files, acceptBackoffs, code } = JSON.parse(said) as Record<string, unknown>;
  assert.is(code, 'EMFILE', said);
  assert.ok((accepted as number) > LIMIT / 4, said);
  // A quarter of so low a limit.
  assert.ok((files as number) >= LIMIT / 4 - 1, said);
  assert.ok((acceptBackoffs as number) > 0, said);
});

test.run();
