/**
 * Small seeded random source (xoshiro128**, public domain algorithm by Blackman and Vigna). Raft's
 * election jitter and every test draw from one, so that a run repeats from its seed.
 */

export class Prng {
  #s: Uint32Array = new Uint32Array(4);

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the whole state.
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      this.#s[i] = (t ^ (t >>> 15)) >>> 0;
    }
  }

  /** Uniform 32-bit unsigned integer. */
  uint32(): number {
    const s = this.#s;
    const [a, b, c, d] = [s[0] as number, s[1] as number, s[2] as number, s[3] as number];
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    const c2 = c ^ a;
    const d2 = d ^ b;
    s[1] = b ^ c2;
    s[0] = a ^ d2;
    s[2] = c2 ^ t;
    s[3] = rotateLeft(d2, 11);
    return result;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform integer in [from, to). */
  int(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from));
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.float() < p;
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length)] as T;
  }

  /** An independent source derived from this one, so that purposes do not disturb each other. */
  fork(): Prng {
    return new Prng(this.uint32());
  }
}

function rotateLeft(x: number, k: number): number {
  return ((x << k) | (x >>> (32 - k))) >>> 0;
}
