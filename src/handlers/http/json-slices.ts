/**
 * Parts of a JSON text as they were written: what goes through a parser and a writer comes out with
 * other numbers (12345678901234567890, 1e400, 1.0). For texts that JSON.parse has taken: nothing is
 * checked again. Nesting costs no stack. Pure.
 */

type Slice = { readonly start: number; readonly end: number };

/** A value where it stands in its text; its parts are looked for when they are asked for. */
export class JsonSlice {
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;
  #members: ReadonlyMap<string, Slice> | null = null;
  #elements: readonly Slice[] | null = null;

  constructor(text: string, start = skipSpace(text, 0), end = endOfValue(text, start)) {
    this.#text = text;
    this.#start = start;
    this.#end = end;
  }

  get written(): string {
    return this.#text.slice(this.#start, this.#end);
  }

  /** Levels of arrays and objects, its own too. */
  get depth(): number {
    return depthOf(this.#text, this.#start, this.#end);
  }

  /** Of an object. */
  member(name: string): JsonSlice | undefined {
    this.#members ??= membersOf(this.#text, this.#start);
    return this.#part(this.#members.get(name));
  }

  /** Of an array. */
  element(index: number): JsonSlice | undefined {
    this.#elements ??= elementsOf(this.#text, this.#start);
    return this.#part(this.#elements[index]);
  }

  #part(slice: Slice | undefined): JsonSlice | undefined {
    return slice === undefined ? undefined : new JsonSlice(this.#text, slice.start, slice.end);
  }
}

/** The members of the objects in the array that the object `text` has under `list`. */
export function sliceList(text: string, list: string): ReadonlyMap<string, string>[] {
  const array = membersOf(text, skipSpace(text, 0)).get(list);
  if (array === undefined) return [];
  return elementsOf(text, array.start).map((element) => {
    const members = new Map<string, string>();
    for (const [name, { start, end }] of membersOf(text, element.start)) {
      members.set(name, text.slice(start, end));
    }
    return members;
  });
}

/** As in JSON.parse the last one of a name counts. */
function membersOf(text: string, start: number): Map<string, Slice> {
  const members = new Map<string, Slice>();
  let at = skipSpace(text, start + 1);
  while (text[at] !== '}') {
    const nameEnd = endOfValue(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const valueStart = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    members.set(name, { start: valueStart, end: valueEnd });
    at = afterComma(text, valueEnd);
  }
  return members;
}

function elementsOf(text: string, start: number): Slice[] {
  const elements: Slice[] = [];
  let at = skipSpace(text, start + 1);
  while (text[at] !== ']') {
    const end = endOfValue(text, at);
    elements.push({ start: at, end });
    at = afterComma(text, end);
  }
  return elements;
}

function afterComma(text: string, end: number): number {
  const at = skipSpace(text, end);
  return text[at] === ',' ? skipSpace(text, at + 1) : at;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const c = text[at] as string;
    if (c === '"') at = endOfString(text, at);
    else if (c === '{' || c === '[') [depth, at] = [depth + 1, at + 1];
    else if (c === '}' || c === ']') [depth, at] = [depth - 1, at + 1];
    else if (depth === 0) at = endOfWord(text, at);
    else at += 1;
    if (depth === 0) return at;
  }
  return text.length;
}

function depthOf(text: string, start: number, end: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = start; at < end; ) {
    const c = text[at] as string;
    if (c === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (c === '{' || c === '[') depth += 1;
    else if (c === '}' || c === ']') depth -= 1;
    deepest = Math.max(deepest, depth);
    at += 1;
  }
  return deepest;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Of a number, true, false or null. */
function endOfWord(text: string, start: number): number {
  let at = start;
  while (at < text.length && !DELIMITERS.has(text[at] as string)) at += 1;
  return at;
}

const SPACE = new Set([' ', '\t', '\n', '\r']);
const DELIMITERS = new Set([...SPACE, ',', ']', '}']);

function skipSpace(text: string, start: number): number {
  let at = start;
  while (SPACE.has(text[at] as string)) at += 1;
  return at;
}
