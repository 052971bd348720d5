/** DescribeCluster: the brokers and who controls. */
import { liveBrokers } from '../control/image.js';
import type { describeClusterApi } from '../protocol/messages/describe-cluster.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const describeCluster: Handler<typeof describeClusterApi> = (
  context,
  _request,
  _info,
  respond,
) => {
  const image = context.image();
  respond({
    errorCode: kafkaCode('NONE'),
    errorMessage: null,
    clusterId: image.clusterId ?? '',
    controllerId: context.controllerId(),
    brokers: liveBrokers(image).map(({ nodeId, kafka, rack }) => ({
      brokerId: nodeId,
      ...kafka,
      rack,
    })),
  });
};
