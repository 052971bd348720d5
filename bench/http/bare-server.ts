/**
 * What any broker in Node is measured against: a node:http server that takes the bytes of a
 * request, throws them away and answers 200 with as many bytes as a broker would. A process of its
 * own; its parent is told the port, and its end is the server's.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const ANSWER = '{"partition":0,"offset":1234567}';
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': ANSWER.length,
};

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.writeHead(200, HEADERS).end(ANSWER));
});
server.keepAliveTimeout = 0;
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.once('disconnect', () => process.exit());
