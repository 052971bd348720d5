/**
 * Request heads: whatever arrives, ours says what Node's own parser says, or leaves it to Node.
 * Bodies of many records: native code says what the door's own reading says, or leaves it to that.
 */
import fc from 'fast-check';
import { heads, mustBeReadRight, spliced, splices } from '../../gateway/http/plain-heads.js';
import { asked, bodies, mustCutAlike } from '../../gateway/http/record-texts.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, garbage } from '../mutate.js';
import { readRequestHead } from '#src/gateway/http/request-head.js';

const never = (): boolean => false;

function mustBeCheap(bytes: Buffer): void {
  guarded(bytes.length, never, () => readRequestHead(bytes, 0, bytes.length));
}

export const HTTP_TARGETS = [
  target('http-head', () =>
    fc.property(heads, splices, edits, garbage, (head, list, damage, other) => {
      for (const bytes of [spliced(head, list), damaged(head, damage), other]) {
        mustBeCheap(bytes);
        mustBeReadRight(bytes);
      }
    }),
  ),
  target('http-records', () =>
    fc.property(bodies, asked, edits, garbage, ({ format, body }, question, damage, other) => {
      for (const bytes of [body, damaged(body, damage), other]) {
        mustCutAlike(format, bytes, question);
      }
    }),
  ),
];
