import { isObject, type Clock } from '@aifirst/kernel';
import type { ActResult } from '@aifirst/execution';
import type { BuiltinCapability } from './builtin-adapter';

/** A day: longer than any deadline that makes sense for one step. */
const SLEEP_MS_MAX = 86_400_000;

/** Waits. One that is cut off has touched nothing and begins again; its `timeoutMs` must be longer than its `ms`. */
export const timerSleep = (clock: Pick<Clock, 'after'>): BuiltinCapability => ({
  descriptor: {
    name: 'timer.sleep', version: '1', adapter: 'builtin', reversibility: 'readOnly', outcome: 'transactional', undo: 'none',
    description: 'Waits for so many milliseconds.',
    inputSchema: { type: 'object', additionalProperties: false, required: ['ms'], properties: { ms: { type: 'integer', minimum: 0, maximum: SLEEP_MS_MAX } } },
    outputSchema: { type: 'object', additionalProperties: false, required: ['ms'], properties: { ms: { type: 'integer' } } },
    resources: [],
  },

  execute({ input, signal }) {
    const ms = Number(input['ms']);
    return new Promise<ActResult>(resolve => {
      const cutOff = (): void => { cancel(); resolve(interrupted(signal.reason)); };
      if (signal.aborted) { resolve(interrupted(signal.reason)); return; }
      const cancel = clock.after(ms, () => {
        signal.removeEventListener('abort', cutOff);
        resolve({ outcome: 'succeeded', output: { ms }, after: {} });
      });
      signal.addEventListener('abort', cutOff, { once: true });
    });
  },

  probe: () => ({ outcome: 'didNotHappen' }),
  undo: () => ({ outcome: 'undone', verified: true, reason: null }),
});

/** Nothing is touched by sleeping, so being cut off is a clean failure. */
function interrupted(reason: unknown): ActResult {
  const code = reason instanceof Error || isObject(reason) ? (reason as { code?: unknown }).code : undefined;
  return { outcome: 'failed', error: { code: typeof code === 'string' ? code : 'TIMEOUT', detail: 'the sleep was cut off before its end', clean: true } };
}
