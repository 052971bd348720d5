/**
 * Bytes written down by hand from the protocol's description, as three clients send them, and two
 * answers: the round trips of codec.test.ts would not notice a mistake made in both directions.
 */
import { decodeMessage } from '#src/protocol/decode.js';
import { decodeResponse, encodeRequestFrame, encodeResponse } from '#src/protocol/frame.js';
import { readRequestHeader } from '#src/protocol/header.js';
import { apiVersionsApi } from '#src/protocol/messages/api-versions.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import type { Api, DecodedFields, Fields } from '#src/protocol/schema.js';
import type { Encoded } from '#src/protocol/writer.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const text = (value: string): string => Buffer.from(value).toString('hex');

/** Header and body of a request frame given as pieces of hex, without the length prefix. */
function read<Q extends Fields, S extends Fields>(api: Api<Q, S>, pieces: readonly string[]) {
  const bytes = Buffer.from(pieces.join(''), 'hex');
  const head = readRequestHeader(bytes, 0, bytes.length);
  const { apiVersion, bodyStart } = head;
  const body: DecodedFields<Q> = decodeMessage(
    api.request,
    apiVersion,
    bytes,
    bodyStart,
    bytes.length,
  );
  return { ...head, body, bytes };
}

function oneChunk({ chunks }: Encoded): string {
  assert.is(chunks.length, 1);
  return (chunks[0] as Buffer).toString('hex');
}

test('ApiVersions v3 as librdkafka sends it', () => {
  const pieces = [
    '0012', // key 18
    '0003', // version
    '00000001', // correlation id
    `0007${text('rdkafka')}`, // client id: not compact in header v2
    '00', // tags of the header
    `0b${text('librdkafka')}`, // compact strings: length + 1
    `06${text('2.3.0')}`,
    '00', // tags of the body
  ];
  const request = read(apiVersionsApi, pieces);
  assert.is(request.api, apiVersionsApi);
  assert.is(request.correlationId, 1);
  assert.is(request.clientId, 'rdkafka');
  assert.equal(request.body, { clientSoftwareName: 'librdkafka', clientSoftwareVersion: '2.3.0' });
  const frame = encodeRequestFrame(apiVersionsApi, { ...request, clientId: 'rdkafka' });
  assert.is(frame.toString('hex'), ['00000024', ...pieces].join(''));
});

test('the answer to ApiVersions: header without tags in every version', () => {
  const body = { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] };
  const v0 = encodeResponse(apiVersionsApi, 0, 5, body);
  assert.is(oneChunk(v0), '00000010' + '00000005' + '0023' + '00000001' + '001200000004');
  const v3 = encodeResponse(apiVersionsApi, 3, 5, { ...body, errorCode: 0 });
  const expected =
    '00000013' + '00000005' + '0000' + '02' + '001200000004' + '00' + '00000000' + '00';
  assert.is(oneChunk(v3), expected);
});

test('Metadata v1: one topic, all topics, no topics', () => {
  const header = ['0003', '0001', '00000002', `0004${text('test')}`];
  const one = read(metadataApi, [...header, '00000001', `0006${text('orders')}`]);
  assert.equal(
    one.body.topics?.map(({ name }) => name),
    ['orders'],
  );
  assert.is(one.body.allowAutoTopicCreation, true);
  assert.is(read(metadataApi, [...header, 'ffffffff']).body.topics, null);
  assert.equal(read(metadataApi, [...header, '00000000']).body.topics, []);
});

test('Metadata v12 with three bytes too many, as librdkafka 2.12 to 2.15 send it', () => {
  const header = ['0003', '000c', '00000002', 'ffff', '00'];
  const request = read(metadataApi, [...header, '00', '01', '00', '00', '000000']);
  assert.is(request.clientId, null);
  assert.is(request.body.topics, null);
});

test('Produce v7: records stay where they are', () => {
  const records = 'aabbccdd';
  const request = read(produceApi, [
    '0000', // key 0
    '0007', // version
    '00000003', // correlation id
    `0007${text('rdkafka')}`,
    'ffff', // no transactional id
    'ffff', // acks: all
    '00007530', // timeout 30 s
    '00000001', // one topic
    `0006${text('orders')}`,
    '00000001', // one partition
    '00000003', // partition 3
    '00000004', // bytes of records
    records,
  ]);
  const { transactionalId, acks, timeoutMs, topicData } = request.body;
  assert.is(transactionalId, null);
  assert.is(acks, -1);
  assert.is(timeoutMs, 30_000);
  const partition = topicData[0]?.partitionData[0];
  assert.is(partition?.index, 3);
  const view = partition?.records;
  assert.is(view?.bytes, request.bytes);
  assert.is(view?.start, request.bytes.length - 4);
  assert.is(view?.length, 4);
});

test('Produce v11: leader and endpoints travel as tags', () => {
  const frame = oneChunk(
    encodeResponse(produceApi, 11, 9, {
      responses: [
        {
          name: 't',
          partitionResponses: [
            {
              index: 0,
              errorCode: 6,
              baseOffset: -1,
              currentLeader: { leaderId: 2, leaderEpoch: 7 },
            },
          ],
        },
      ],
      nodeEndpoints: [{ nodeId: 2, host: 'h', port: 9093 }],
    }),
  );
  const expected = [
    '00000009', // correlation id
    '00', // tags of the header
    '02', // one topic
    `02${text('t')}`,
    '02', // one partition
    '00000000', // index
    '0006', // NOT_LEADER_OR_FOLLOWER
    'ffffffffffffffff', // base offset
    'ffffffffffffffff', // log append time
    'ffffffffffffffff', // log start offset
    '01', // no record errors
    '00', // null message
    '01' + '00' + '09' + '00000002' + '00000007' + '00', // tag 0: current leader
    '00', // tags of the topic
    '00000000', // throttle time
    '01' + '00' + '0d', // tag 0: endpoints
    '02' + '00000002' + `02${text('h')}` + '00002385' + '00' + '00',
  ].join('');
  assert.is(frame.slice(8), expected);
});

test('Fetch v11: ranges of files are spliced between the encoded bytes', () => {
  const partition = {
    errorCode: 0,
    highWatermark: 9,
    lastStableOffset: 9,
    logStartOffset: 0,
    abortedTransactions: null,
  };
  const range = { fd: 7, filePosition: 4096 };
  const tail = Buffer.from('..tail');
  const response = encodeResponse(fetchApi, 11, 5, {
    responses: [
      {
        topic: 't',
        partitions: [
          { ...partition, partitionIndex: 0, records: { external: range, length: 100_000 } },
          { ...partition, partitionIndex: 1, records: null },
          {
            ...partition,
            partitionIndex: 2,
            records: [
              { external: range, length: 10 },
              { bytes: tail, start: 2, length: 4 },
            ],
          },
        ],
      },
    ],
  });
  const [head, first, middle, second, end, ...others] = response.chunks;
  assert.is(others.length, 0);
  assert.equal(first, { external: range, length: 100_000 });
  assert.equal(second, { external: range, length: 10 });
  const external = new Map([first, second].map((chunk) => [chunk, chunk?.length ?? 0]));
  const bytes = response.chunks.map((chunk) =>
    chunk instanceof Uint8Array ? chunk : Buffer.alloc(external.get(chunk) ?? 0, 'x'),
  );
  const frame = Buffer.concat(bytes);
  assert.is(frame.length, response.totalLength);
  assert.is(frame.readInt32BE(0), frame.length - 4);
  assert.is((head as Buffer).subarray(-4).toString('hex'), '000186a0');
  assert.is((middle as Buffer).subarray(-4).toString('hex'), '0000000e');
  assert.is((end as Buffer).toString(), 'tail');
  const { correlationId, body } = decodeResponse(fetchApi, 11, frame, 4, frame.length);
  assert.is(correlationId, 5);
  const lengths = body.responses[0]?.partitions.map(({ records }) => records?.length ?? null);
  assert.equal(lengths, [100_000, null, 14]);
});

test.run();
