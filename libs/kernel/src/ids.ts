/** 16 random bytes, or what a test or the simulator puts in their place. */
export type RandomBytes = (count: number) => Uint8Array;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** UUID version 7 (RFC 9562): time-ordered, so that an index on it grows at its end. */
export function uuidv7(atMs: number, random: RandomBytes): string {
  const bytes = new Uint8Array(16);
  bytes.set(random(10), 6);
  let rest = atMs;
  for (let i = 5; i >= 0; i--) { bytes[i] = rest % 256; rest = Math.floor(rest / 256); }
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = (from: number, to: number) => { let s = ''; for (let i = from; i < to; i++) s += HEX[bytes[i]!]; return s; };
  return `${hex(0, 4)}-${hex(4, 6)}-${hex(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const isUuid = (text: string): boolean => UUID.test(text);

/** Where time, ids and chance come from, so that rules and drivers run the same under the simulator. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Calls back once after `delayMs`; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}
export interface Ids { uuid(): string; /** In [0, 1). */ chance(): number }
