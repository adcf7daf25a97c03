import { createHash } from 'node:crypto';
import type { StepView } from '@aifirst/contracts';
import type { Ids } from '@aifirst/kernel';

const STEP_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A step's id is its idempotency key: a key that could be one is one, another stands for itself by its digest. */
export const stepIdOfKey = (key: string): string => (STEP_ID.test(key) ? key : `key-${createHash('sha256').update(key).digest('base64url')}`);

export const freshStepId = (ids: Ids): string => `call-${ids.uuid()}`;

/** These had no effect: what is called again then is done once, not twice. */
const WITHOUT_EFFECT: readonly StepView['status'][] = ['failed', 'skipped'];

/**
 * The id under which an identical call is the same step: that of the last one within the window, and after it, or where
 * that had no effect, the next one. Two who ask at once get the same. @param called a digest of what is called
 */
export function repeatedStepId(called: string, steps: readonly StepView[], windowMs: number, now: number): string {
  const base = `same-${called}-`;
  const known = steps.filter(({ id }) => id.startsWith(base)).sort((a, b) => numberOf(a, base) - numberOf(b, base)).at(-1);
  if (known === undefined) return `${base}1`;
  const began = known.startedAt ?? known.endedAt;
  const isOld = began !== null && Date.parse(began) + windowMs <= now;
  return `${base}${numberOf(known, base) + (isOld || WITHOUT_EFFECT.includes(known.status) ? 1 : 0)}`;
}

const numberOf = ({ id }: StepView, base: string): number => Number(id.slice(base.length)) || 1;
