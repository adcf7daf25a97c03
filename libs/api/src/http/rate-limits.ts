import type { Clock } from '@aifirst/kernel';

interface Bucket { tokens: number; at: number }
const MINUTE_MS = 60_000;
/** Buckets that are full again say nothing; beyond this many they are looked for. */
const BUCKETS_MAX = 10_000;

/** A token bucket per agent: as many requests at once as a minute allows, refilled steadily. */
export class RateLimits {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly clock: Clock) {}

  /** @returns 0 when the request may pass, else after how many seconds one may */
  take(agent: string, perMinute: number): number {
    const now = this.clock.now();
    let bucket = this.buckets.get(agent);
    if (bucket === undefined) {
      if (this.buckets.size >= BUCKETS_MAX) this.forgetIdle(now);
      bucket = { tokens: perMinute, at: now };
      this.buckets.set(agent, bucket);
    }
    bucket.tokens = Math.min(perMinute, bucket.tokens + (Math.max(0, now - bucket.at) * perMinute) / MINUTE_MS);
    bucket.at = now;
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 60) / perMinute);
    bucket.tokens -= 1;
    return 0;
  }

  private forgetIdle(now: number): void {
    for (const [agent, { at }] of this.buckets) if (now - at > MINUTE_MS) this.buckets.delete(agent);
  }
}
