/**
 * The stream of a partition's bytes, for partitions that another thread or node has. The answer's
 * headers say what it holds; `Range` and a later `offset` both go on where a client was cut off.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { HttpContext } from '../../../handlers/http/context.js';
import { extentOf, streamPieces } from '../../../handlers/http/stream.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { answers } from '../openapi.js';
import { OFFSET, offsetOf, PartitionParams } from '../parameters.js';
import {
  BATCHES_TYPE,
  byteRange,
  rangeProblem,
  readAhead,
  skipBytes,
  streamHeaders,
} from '../stream-range.js';

const StreamQuery = Type.Object(
  {
    offset: Type.Optional(OFFSET),
    end: Type.Optional(
      Type.Integer({ minimum: 0, description: 'must be the offset before which the stream ends' }),
    ),
    follow: Type.Optional(
      Type.Boolean({ description: 'must be true, to go on with what is written later, or false' }),
    ),
  },
  { additionalProperties: false },
);

const part = answers(206, 'The part that the header Range asks for.', Type.String(), [
  BATCHES_TYPE,
]);
const schema = {
  summary: "A partition's own bytes: whole record batches as they lie in the log.",
  params: PartitionParams,
  querystring: StreamQuery,
  response: {
    ...part,
    ...answers(200, 'The batches; headers say which offsets.', Type.String(), [BATCHES_TYPE]),
  },
};

type Stream = { Params: Static<typeof PartitionParams>; Querystring: Static<typeof StreamQuery> };

export function streamRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get<Stream>(
    '/topics/:topic/partitions/:partition/stream',
    { schema },
    async ({ params, query, headers }, reply) => {
      const group = partitionOf(topicNamed(context, params.topic), params.partition);
      const { offset = 'earliest', end = null, follow: isFollowing = false } = query;
      const extent = await extentOf(context, group, { offset: offsetOf(offset), end, isFollowing });
      const range = isFollowing ? null : byteRange(headers.range, extent.bytes);
      if (range === 'unsatisfiable') throw rangeProblem(extent.bytes);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const pieces = readAhead(streamPieces(context, group, extent, isFollowing, gone.signal));
      // The head leaves at once: a follower may have nothing to read for hours.
      reply.hijack();
      reply.raw.writeHead(range === null ? 200 : 206, streamHeaders(extent, range, isFollowing));
      reply.raw.flushHeaders();
      const body = range === null ? pieces : skipBytes(pieces, range);
      // Too late for another answer: who is cut off sees that bytes are missing.
      await pipeline(Readable.from(body), reply.raw).catch(() => reply.raw.destroy());
    },
  );
}
