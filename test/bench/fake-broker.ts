/**
 * A broker in memory for the tests of the load generator: one topic, this one broker leads all of
 * it. It can be told to misbehave in each way that the generator must notice.
 */
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { decodeMessage } from '#src/protocol/decode.js';
import { encodeResponse } from '#src/protocol/frame.js';
import { readRequestHeader } from '#src/protocol/header.js';
import { type FetchRequest, fetchApi } from '#src/protocol/messages/fetch.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { type ProduceRequest, produceApi } from '#src/protocol/messages/produce.js';
import type { Api, EncodableFields, Fields } from '#src/protocol/schema.js';
import { nextOffsetOf, readBatchHeader, stampLeader } from '#src/records/batch.js';

export const TOPIC = 'bench';
const NODE_ID = 1;

/** What goes wrong, from the produce request with this number on (the first one is 0). */
export type Misbehaviour =
  | 'error'
  | 'silent close'
  | 'same offset again'
  | 'wrong correlation id'
  | 'other partition'
  | 'gap';

export type FakeOptions = {
  readonly partitions?: number;
  readonly misbehaviour?: Misbehaviour;
  readonly from?: number;
};

type Request = { readonly api: Api; readonly version: number; readonly correlationId: number };

export class FakeBroker {
  readonly #server: Server;
  readonly #options: FakeOptions;
  readonly #sockets = new Set<Socket>();
  /** Batches of each partition, stamped. */
  readonly #logs: Buffer[][];
  produceRequests = 0;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.#logs = Array.from({ length: options.partitions ?? 1 }, () => []);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: FakeOptions = {}): Promise<FakeBroker> {
    const broker = new FakeBroker(options);
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  endOffset(partition: number): number {
    const last = this.#logs[partition]?.at(-1);
    return last === undefined ? 0 : nextOffsetOf(readBatchHeader(last, 0));
  }

  /** Ends every connection; new ones are welcome. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.dropConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let pending = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0);
        this.#onRequest(socket, pending.subarray(4, end));
        pending = pending.subarray(end);
      }
    });
  }

  #onRequest(socket: Socket, frame: Buffer): void {
    const head = readRequestHeader(frame, 0, frame.length);
    const { api, apiVersion, correlationId, bodyStart } = head;
    if (api === null) throw new Error(`request ${head.apiKey}`);
    const request = { api, version: apiVersion, correlationId };
    const body = decodeMessage(api.request, apiVersion, frame, bodyStart, frame.length);
    switch (api.key) {
      case metadataApi.key:
        return this.#metadata(socket, request);
      case fetchApi.key:
        return this.#fetch(socket, request, body as unknown as FetchRequest);
      case produceApi.key:
        return this.#produce(socket, request, body as unknown as ProduceRequest);
      default:
        throw new Error(`the fake broker does not know ${api.name}`);
    }
  }

  #metadata(socket: Socket, request: Request): void {
    const alone = [NODE_ID];
    const partitions = this.#logs.map((_, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: NODE_ID,
      replicaNodes: alone,
      isrNodes: alone,
    }));
    const topics = [{ errorCode: 0, name: TOPIC, partitions }];
    const brokers = [{ nodeId: NODE_ID, ...this.address }];
    reply(socket, request, metadataApi, { brokers, topics });
  }

  #produce(socket: Socket, request: Request, body: ProduceRequest): void {
    const { misbehaviour, from = 0 } = this.#options;
    const fault = this.produceRequests >= from ? misbehaviour : undefined;
    this.produceRequests += 1;
    if (fault === 'silent close') return void socket.destroy();
    const asked = body.topicData[0]?.partitionData[0];
    if (asked?.records == null) throw new Error('a produce without records');
    const { bytes, start, length } = asked.records;
    const batch = Buffer.from(bytes.subarray(start, start + length));
    const baseOffset = this.endOffset(asked.index);
    stampLeader(batch, 0, baseOffset + (fault === 'gap' ? 1 : 0), 1);
    this.#logs[asked.index]?.push(batch);
    const partition = {
      index: asked.index + (fault === 'other partition' ? 1 : 0),
      errorCode: fault === 'error' ? 6 : 0,
      baseOffset: fault === 'same offset again' ? 0 : baseOffset,
    };
    const responses = [{ name: TOPIC, partitionResponses: [partition] }];
    const shift = fault === 'wrong correlation id' ? 1 : 0;
    const altered = { ...request, correlationId: request.correlationId + shift };
    reply(socket, altered, produceApi, { responses });
  }

  /** As Kafka: at least one whole batch, then as many bytes as fit, the last batch cut. */
  #fetch(socket: Socket, request: Request, body: FetchRequest): void {
    const asked = body.topics[0]?.partitions[0];
    if (asked === undefined) throw new Error('a fetch of nothing');
    const log = this.#logs[asked.partition] ?? [];
    const batches = log.filter(
      (batch) => nextOffsetOf(readBatchHeader(batch, 0)) > asked.fetchOffset,
    );
    const limit = Math.max(asked.partitionMaxBytes, batches[0]?.length ?? 0);
    const bytes = Buffer.concat(batches).subarray(0, limit);
    const partition = {
      partitionIndex: asked.partition,
      errorCode: 0,
      highWatermark: this.endOffset(asked.partition),
      abortedTransactions: null,
      records: { bytes, start: 0, length: bytes.length },
    };
    const responses = [{ topic: TOPIC, partitions: [partition] }];
    reply(socket, request, fetchApi, { responses });
  }
}

function reply<Q extends Fields, S extends Fields>(
  socket: Socket,
  { version, correlationId }: Request,
  api: Api<Q, S>,
  body: EncodableFields<S>,
): void {
  for (const chunk of encodeResponse(api, version, correlationId, body).chunks) {
    socket.write(chunk as Uint8Array);
  }
}
