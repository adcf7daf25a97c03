import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invariant, type Json } from '@aifirst/kernel';

/** The output stays beside the proof that it was done, so that a lost answer can be told again; its key is in the journal's sealed image alone. */
export const newOutputKey = (): string => randomBytes(32).toString('base64');

export function lockOutput(key: string, step: string, output: Json): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64'), nonce).setAAD(Buffer.from(step));
  return Buffer.concat([nonce, cipher.update(JSON.stringify(output), 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

export function openOutput(key: string, step: string, kept: Buffer): Json {
  invariant(kept.length >= 28, 'a kept output is too short');
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64'), kept.subarray(0, 12)).setAAD(Buffer.from(step)).setAuthTag(kept.subarray(-16));
  return JSON.parse(Buffer.concat([decipher.update(kept.subarray(12, -16)), decipher.final()]).toString('utf8')) as Json;
}
