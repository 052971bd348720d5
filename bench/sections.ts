/**
 * The prose of docs/benchmarks.md that no run measures: what each workload is. Text only; the lines
 * are broken anew where they are printed.
 */

export type SectionText = {
  readonly title: string;
  readonly about: string;
};

export const INTRODUCTION: readonly string[] = [
  `\`npm run bench\` starts lograft and its peers on loopback, lets them take turns, and writes this
  page from \`bench/results\`: medians of the runs with the least and the greatest, and ratios
  (lograft / its peer, of the medians) of one run on one machine. A run in which anything was lost,
  refused or cut off is INVALID and does not count. A goal that was not reached is MISSED, and stays
  on the page.`,
  `Three nodes each, replication factor 3, \`acks=all\`. The load generator is the same for every
  system, speaks the plain Kafka protocol, sends batches that were encoded beforehand and shares the
  processors with the brokers. Apache Kafka runs as three combined KRaft nodes with its own heap
  (1 GB) and collector settings. Old data is deleted by the same \`retention.bytes\` and
  \`segment.bytes\` on every system. Figures of another machine mean little: run it where you would
  run lograft.`,
];

export const SECTIONS: Readonly<Record<string, SectionText>> = {
  W1: {
    title: 'throughput, 100 B records',
    about: 'One topic of six partitions, one connection to the leader of each.',
  },
  W2: {
    title: 'throughput, 1 KiB records',
    about: `One topic of six partitions, one connection to the leader of each. The brokers' CPU
      seconds per GB are W12.`,
  },
  W3: {
    title: 'one record a request',
    about: `One topic of six partitions; N x M in flight are N connections that each keep M requests
      on the way.`,
  },
  W4: {
    title: 'on the disk before the acknowledgement',
    about: `As W2, W3 and W5, but every batch is on disks before it is acknowledged. N x M in flight
      are N connections that each keep M requests on the way and take their partitions by turns.`,
  },
  W5: {
    title: 'latency of one record',
    about: 'One producer that sends its next record when the last one was acknowledged.',
  },
  W6: {
    title: 'catching up',
    about: 'A backlog that lies in the page cache, read over and over by six consumers.',
  },
  W7: {
    title: 'idle partitions',
    about: `The same load without idle partitions and then with them, in every round; then the load
      stops, and the processor time of the three nodes is what idle partitions take.`,
  },
  W8: {
    title: 'failover',
    about: `kill -9 of a node while one record is on the way to each of 64 partitions: the longest
      time for which a partition's producer saw no acknowledgement; of all partitions, and the
      median of those that the node led.`,
  },
  W9: {
    title: 'start',
    about: 'From the command that starts three nodes to the first acknowledged record.',
  },
  W10: {
    title: 'HTTP',
    about: `\`npm run bench -- W10\`: autocannon against three nodes, every answer after a majority
      has the records, beside a bare \`node:http\` server that takes the same bodies and answers 200
      without keeping anything, and nginx that sends a file of the stream's bytes by sendfile.`,
  },
};
