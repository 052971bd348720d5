/**
 * One scrape: facts of all shards, what they count in shared memory and what the main thread knows,
 * as samples of the table. Promise: series are bounded by settings, whatever clients do; topics
 * beyond the bound are counted together, so that sums stay whole. Main thread; loaded by the first
 * scrape.
 */
import { MetricPage } from '../../observability/metric-page.js';
import { groupSamples } from './group-samples.js';
import { fillSamples, processSamples, requestSamples, threadSamples } from './node-samples.js';
import { partitionSamples } from './partition-samples.js';
import type { ScrapeInput } from './scrape-input.js';
import { topicSamples } from './topic-samples.js';

/** The page of one scrape. */
export async function scrape(input: ScrapeInput): Promise<string> {
  const page = new MetricPage();
  // First: it settles which topics have names of their own.
  topicSamples(page, input);
  requestSamples(page, input);
  fillSamples(page, input);
  threadSamples(page, input);
  processSamples(page);
  partitionSamples(page, input);
  await groupSamples(page, input);
  return page.text();
}
