import { OperationalError, type Clock } from '@aifirst/kernel';

export type Ended<T> =
  | { readonly end: 'returned'; readonly value: T }
  | { readonly end: 'thrown'; readonly error: unknown }
  /** It did not come back in time; it may still be under way. */
  | { readonly end: 'late'; readonly settled: Promise<Ended<T>> };

/** `signal.reason` of a call whose time is over. */
export const timeIsOver = (ms: number): OperationalError => new OperationalError('TIMEOUT', `not done within ${ms} ms`);
/** `signal.reason` of a call that is cut off because the process stops. */
export const draining = (): OperationalError => new OperationalError('DRAINING', 'the process is stopping', { retryable: true });

/** Calls an adapter: aborts when the time is over (null: never), and gives it up when it has not come back `graceMs` after that (null: never). */
export function within<T>(clock: Clock, timeoutMs: number | null, graceMs: number | null, abort: AbortController, run: () => Promise<T>): Promise<Ended<T>> {
  return new Promise(resolve => {
    let cancel = timeoutMs === null ? () => {} : clock.after(timeoutMs, () => {
      cancel = graceMs === null ? () => {} : clock.after(graceMs, () => resolve({ end: 'late', settled }));
      abort.abort(timeIsOver(timeoutMs));
    });
    const settled: Promise<Ended<T>> = (async () => run())().then(
      value => ({ end: 'returned', value }) as const,
      (error: unknown) => ({ end: 'thrown', error }) as const,
    );
    void settled.then(ended => { cancel(); resolve(ended); });
  });
}
