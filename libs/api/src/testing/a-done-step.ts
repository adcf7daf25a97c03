import type { PlannedStep } from '@aifirst/contracts';
import type { DoneStep } from '../rollbacks/done-steps';

/** A step that has written `path` of its connection, unless told otherwise. */
export function aDoneStep({ index = 0, path = `f${index}`, ...over }: Partial<Omit<DoneStep, 'plan'>> & Partial<Pick<PlannedStep, 'after' | 'reversibility' | 'connection' | 'capability' | 'adapter' | 'lockBase'>> & { readonly path?: string } = {}): DoneStep {
  const { after = [], reversibility = 'reversible', connection = 'docs', capability = 'fs.write', adapter = 'os', lockBase, ...done } = over;
  return {
    index, status: 'succeeded', generation: 1, resources: [`file://${connection ?? ''}/${path}`], actSequence: index, actedAt: 1_000, actedFact: index, left: null,
    plan: {
      id: `s${index}`, capability, adapter, reversibility, connection, input: { connection, path }, after, hasReferences: false, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }],
      risk: { level: 'low', score: 20 }, timeoutMs: 30_000, attemptsMax: 1, ...(lockBase === undefined ? {} : { lockBase }),
    },
    ...done,
  };
}
