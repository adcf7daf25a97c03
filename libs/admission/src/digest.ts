import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Intent, IntentStep } from '@aifirst/contracts';

/** `sha256:<hex>` of the JCS form (RFC 8785) of an admitted intent, or of a step of a transaction: what a repeat of an idempotency key is compared by. */
export const canonicalDigest = (intent: Intent | IntentStep): string =>
  `sha256:${createHash('sha256').update(canonicalize(intent) as string).digest('hex')}`;
