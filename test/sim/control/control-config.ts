/** What all nodes of the control profile share: the pace of ticks and the topics' settings. */
import { defaultSettings } from '#src/broker/settings.js';
import type { TopicDefaults } from '#src/control/topic-config.js';

export const TICK_MS = 50;

export const TOPIC_DEFAULTS: TopicDefaults = { defaults: defaultSettings(), explicit: {} };
