import type { BuiltinCapability } from './builtin-adapter';

/** Does nothing, or fails the way it is told: for tests and benchmarks. Goes the way of every other capability. */
export const noop: BuiltinCapability = {
  descriptor: {
    name: 'noop', version: '1', adapter: 'builtin', reversibility: 'reversible', outcome: 'transactional', undo: 'exact',
    description: 'Does nothing and gives back its value; fails, or loses its outcome, when told to.',
    inputSchema: {
      type: 'object', additionalProperties: false,
      properties: { value: {}, fail: { enum: ['clean', 'unknown'] }, probe: { enum: ['happened', 'didNotHappen', 'cannotTell'] } },
    },
    outputSchema: { type: 'object', additionalProperties: false, required: ['value'], properties: { value: {} } },
    resources: [],
  },

  async execute({ input }) {
    switch (input['fail']) {
      case 'clean': return { outcome: 'failed', error: { code: 'NOOP_FAILED', detail: 'it was told to fail', clean: true } };
      case 'unknown': return { outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN', detail: 'it was told to lose its outcome', clean: false } };
      default: return { outcome: 'succeeded', output: { value: input['value'] ?? null }, after: {} };
    }
  },

  probe({ input }) {
    // Why: only one that was told to lose its outcome can have one that needs telling; any other was cut off and has touched nothing.
    if (input['fail'] !== 'unknown') return { outcome: 'didNotHappen' };
    switch (input['probe']) {
      case 'happened': return { outcome: 'succeeded', output: { value: input['value'] ?? null }, after: {} };
      case 'didNotHappen': return { outcome: 'didNotHappen' };
      default: return { outcome: 'cannotTell', detail: 'it was told not to tell' };
    }
  },

  undo: () => ({ outcome: 'undone', verified: true, reason: null }),
};
