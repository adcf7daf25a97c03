import { OperationalError } from '@aifirst/kernel';

export interface OffsetRange { readonly low: number; readonly high: number }

/**
 * Where a consumer goes on in a partition.
 * @param position what it committed; 0 = nothing yet
 * @param isGone the broker has said that there is nothing at the position
 * @returns `problem`: what somebody has to know of: messages that nobody will see, or that come again
 */
export function whereToGoOn(source: string, position: number, { low, high }: OffsetRange, isGone = false): { readonly next: number; readonly problem: OperationalError | null } {
  if (position > high || (isGone && position >= low)) {
    return { next: low, problem: new OperationalError('TOPIC_CUT', `\`${source}\` ends at ${high}, but was handled up to ${position}: the topic was made anew or has lost its end; it is read from its start`) };
  }
  if (position < low) {
    return { next: low, problem: position === 0 ? null : new OperationalError('RETENTION_GAP', `\`${source}\` starts at ${low}, but was handled up to ${position} only: what lay between is gone`) };
  }
  return { next: position, problem: null };
}
