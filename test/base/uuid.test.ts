/** Ids in their text form: what is drawn is one, and what is no id is told apart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ZERO_UUID, isUuidText, randomUuid } from '#src/base/uuid.js';

test('a drawn id is an id of 16 bytes, and stays itself over its bytes', () => {
  const drawn = Array.from({ length: 100 }, randomUuid);
  assert.is(new Set(drawn).size, drawn.length);
  for (const id of [ZERO_UUID, ...drawn]) {
    assert.ok(isUuidText(id), id);
    assert.not.match(id, /^-/);
    const bytes = Buffer.from(id, 'base64url');
    assert.is(bytes.length, 16);
    assert.is(bytes.toString('base64url'), id);
  }
});

test('what is no id', () => {
  const id = 'AbCdEfGhIjKlMnOpQrSt_-';
  assert.ok(isUuidText(id));
  const texts = ['', id.slice(1), `${id}A`, ` ${id.slice(1)}`, `${id}\n`, `${id.slice(1)}+`];
  for (const value of [...texts, null, undefined, 22, [id]])
    assert.not(isUuidText(value), `${value}`);
});

test.run();
