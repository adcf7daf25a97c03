import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Json } from '@aifirst/kernel';
import type { SealedFields } from '@aifirst/contracts';

/** `sha256:<hex>` of the JCS form (RFC 8785). */
export const digestOf = (value: Json): string =>
  `sha256:${createHash('sha256').update(canonicalize(value) as string).digest('hex')}`;

/**
 * The seal of a lease: HMAC-SHA-256 under the service key over every field, so that it fits one command only.
 * @returns base64url
 */
export function sealLease(serviceKey: Buffer, fields: SealedFields): string {
  // Why: a JSON array in a fixed order is unambiguous, whatever characters a name holds.
  const text = JSON.stringify(['aifirst-lease-v1', fields.direction, fields.tenant, fields.workflow, fields.step, fields.index, fields.generation, fields.agent, fields.capability,
    fields.connection, fields.inputDigest, fields.policyVersion, fields.controlEpoch, fields.expiresAt, ...(fields.phase === undefined ? [] : [fields.phase])]);
  return createHmac('sha256', serviceKey).update(text).digest('base64url');
}

export function leaseIsSealed(serviceKey: Buffer, fields: SealedFields, mac: string): boolean {
  const expected = Buffer.from(sealLease(serviceKey, fields));
  const given = Buffer.from(mac);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
