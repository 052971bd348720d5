/** Writes docs/metrics.md anew from the table of metrics; a test fails while it is out of date. */
import { writeFileSync } from 'node:fs';
import { documentText } from './document-text.js';

writeFileSync(new URL('../../../../docs/metrics.md', import.meta.url), documentText());
