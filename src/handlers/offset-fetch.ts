/** OffsetFetch: the last acknowledged positions; several groups at once from version 8 on. */
import type {
  OffsetFetchResponse as GroupOffsets,
  OffsetFetchRequest as GroupQuestion,
} from '../groups/group-types.js';
import type { OffsetFetchResponse, offsetFetchApi } from '../protocol/messages/offset-fetch.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';
import { gather } from './gather.js';

type Group = NonNullable<OffsetFetchResponse['groups']>[number];

export const offsetFetch: Handler<typeof offsetFetchApi> = (context, request, info, respond) => {
  if (info.apiVersion < 8) {
    const { groupId, topics } = request;
    ask(context, { groupId, topics }, (group) => {
      respond(info.apiVersion < 2 ? spreadError(group, topics) : { ...group, groups: [] });
    });
    return;
  }
  gather<GroupQuestion, Group>(
    request.groups,
    (question, done) => ask(context, question, done),
    (groups) => respond({ topics: [], groups }),
  );
};

function ask(context: HandlerContext, question: GroupQuestion, done: (group: Group) => void): void {
  const { groupId } = question;
  context.callGroup('fetchOffsets', groupId, question, (response) => {
    done(describe(response ?? { groupId, error: 'NOT_COORDINATOR', topics: [] }));
  });
}

function describe({ groupId, error, topics }: GroupOffsets): Group {
  return {
    groupId,
    errorCode: kafkaCode(error ?? 'NONE'),
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ error: partitionError, ...partition }) => ({
        ...partition,
        errorCode: kafkaCode(partitionError ?? 'NONE'),
      })),
    })),
  };
}

/** Version 1 has no error of its own: it stands at every partition, so nobody reads "no offset". */
function spreadError(group: Group, asked: GroupQuestion['topics']): OffsetFetchResponse {
  if (group.errorCode === kafkaCode('NONE')) return { topics: group.topics ?? [], groups: [] };
  const errorCode = group.errorCode ?? kafkaCode('NONE');
  const topics = (asked ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      metadata: '',
      errorCode,
    })),
  }));
  return { topics, groups: [] };
}
