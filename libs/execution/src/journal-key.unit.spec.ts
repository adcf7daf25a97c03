import fc from 'fast-check';
import { ATTEMPTS_MAX, callOf, GENERATIONS_MAX, STEPS_MAX, versionOf, type CallId } from './journal-key';

const anyCall = fc.record({
  workflow: fc.constant('w'), index: fc.nat(STEPS_MAX - 1), generation: fc.nat(GENERATIONS_MAX), direction: fc.constantFrom('forward', 'undo'), attempt: fc.integer({ min: 1, max: ATTEMPTS_MAX }),
}) as fc.Arbitrary<CallId>;
const anyKind = fc.constantFrom('claim' as const, 'outcome' as const);

describe('the version of a step key', () => {
  it('is a safe integer from which the call can be told', () => {
    fc.assert(fc.property(anyCall, anyKind, (call, kind) => {
      const version = versionOf(call, kind);
      expect(Number.isSafeInteger(version)).toBe(true);
      expect(callOf('w', version)).toEqual({ kind, call: call.direction === 'forward' ? { ...call, attempt: 1 } : call });
    }));
  });

  it('is the same for every attempt of a forward call, and its own for every attempt of an undo', () => {
    const call: CallId = { workflow: 'w', index: 3, generation: 2, direction: 'forward', attempt: 1 };
    expect(versionOf({ ...call, attempt: 9 }, 'claim')).toBe(versionOf(call, 'claim'));
    const undos = [1, 2, 3].map(attempt => versionOf({ ...call, direction: 'undo', attempt }, 'claim'));
    expect(new Set([...undos, versionOf(call, 'claim')]).size).toBe(4);
  });
});
