import type { Share, Subscription } from './message-bus';

/**
 * Which of `of` a key belongs to: 32-bit FNV-1a over its UTF-8, mixed so that the low bits count, modulo `of`. The partition
 * of a key too. Never changes: the order per key and every shard's share depend on it.
 */
export function shardOf(key: string, of: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) % of;
}

export const takes = (share: Share | undefined, key: string): boolean => share === undefined || shardOf(key, share.of) === share.index;

/** Subscriptions of one group and one share are copies of one consumer: the first is active, the others stand by. */
export const consumerName = ({ group, share }: Pick<Subscription, 'group' | 'share'>): string => (share === undefined ? group : `${group} ${share.index}/${share.of}`);
