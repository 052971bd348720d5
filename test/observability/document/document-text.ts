/** The documentation of all metrics as Markdown, made of the table that the code itself uses. */
import { SETTINGS } from '#src/broker/settings.js';
import { METRIC_CHAPTERS, type MetricShape } from '#src/observability/metric-table.js';
import {
  BUCKETS_MS,
  ELECTION_REASONS,
  GC_KINDS,
  HTTP_KINDS,
  REFUSALS,
} from '#src/observability/shard-counters.js';

const OPENING = `# Metrics

\`GET /metrics\` on the HTTP port of every node, in Prometheus' text format. Each node tells of
itself: of what went through it, of the replicas it holds, of the partitions it leads and the groups
it coordinates. A sum over all nodes is the cluster. Counters begin at 0 when a node starts.

This page is made of the table in the code: \`node dist/test/observability/document/main.js\`.
`;

export function documentText(): string {
  const chapters = Object.entries(METRIC_CHAPTERS).map(([title, metrics]) =>
    chapterText(title, metrics),
  );
  return `${[OPENING, ...chapters, labelsText(), boundsText()].join('\n')}`;
}

function chapterText(title: string, metrics: Readonly<Record<string, MetricShape>>): string {
  const rows = Object.entries(metrics).map(([name, { type, labels, unit, help }]) => {
    const names = labels.map((label) => `\`${label}\``).join(', ') || '–';
    return `| \`${name}\` | ${type} | ${names} | ${unit} | ${help} |`;
  });
  const head = '| metric | type | labels | unit | meaning |\n|---|---|---|---|---|';
  return `## ${title}\n\n${head}\n${rows.join('\n')}\n`;
}

function labelsText(): string {
  const list = (values: readonly string[]): string => values.map((v) => `\`${v}\``).join(', ');
  const buckets = BUCKETS_MS.map((ms) => ms / 1_000).join(', ');
  return `## Labels and buckets

- \`thread\`: \`main\`, \`shard-0\`, … (num.shards of them).
- \`api\`: a Kafka API by its name, once it was asked for.
- \`kind\` of HTTP: ${list(HTTP_KINDS)}; of a garbage collection: ${list(GC_KINDS)}.
- \`what\` was refused: ${list(REFUSALS)}; was left out: \`topics\`, \`groups\`.
- \`reason\` of an election: ${list(ELECTION_REASONS)}.
- \`queue\`: \`partition_produces\`, \`partition_polls\`, \`thread_calls\`, \`forwarded_calls\`.
- Upper ends of all histograms' buckets, in seconds: ${buckets}.
`;
}

function boundsText(): string {
  const rows = SETTINGS.filter(({ name }) => name.startsWith('metrics.')).map(
    ({ name, defaultValue, doc }) => `| \`${name}\` | ${String(defaultValue)} | ${doc} |`,
  );
  return `## Bounds

| setting | default | meaning |
|---|---|---|
${rows.join('\n')}

A topic that once was counted under \`topic="other"\` stays there until it is deleted, and what a
deleted topic had counted is added to it: sums over all topics never go back. Topics under the
label \`other\` have no offsets and no lag. A lag needs the high watermark of a partition that
another node may lead: at most 1,000 such partitions are asked for in one scrape, and one whose
leader does not answer within a second has no lag in it.
`;
}
