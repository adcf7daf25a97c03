import fc from 'fast-check';
import type { CloudEvent, StepReported } from '@aifirst/contracts';
import { CRASH_POINTS, setCrashHook } from '@aifirst/kernel';
import { MemoryStore, type Fate } from '@aifirst/store/testing';
import { JournalStand, settled, workflowId, type CommandOptions } from './testing';

const STEPS = 6;
const POINTS = CRASH_POINTS.filter(point => point.startsWith('adapter.'));
type Move =
  | { readonly move: 'execute' | 'undo' | 'probe'; readonly step: number; readonly times: number }
  | { readonly move: 'crashAt'; readonly point: (typeof POINTS)[number]; readonly pass: number }
  | { readonly move: 'crash' | 'lose' } | { readonly move: 'fate'; readonly fate: Fate } | { readonly move: 'pass'; readonly ms: number };
const aStep = fc.nat(STEPS - 1);
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ move: fc.constantFrom('execute' as const, 'execute' as const, 'undo' as const, 'probe' as const), step: aStep, times: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ move: fc.constant('crashAt' as const), point: fc.constantFrom(...POINTS), pass: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ move: fc.constantFrom('crash' as const, 'lose' as const) }) },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('fate' as const), fate: fc.constantFrom<Fate>('refused', 'unknownStored', 'unknownAbsent') }) },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('pass' as const), ms: fc.constantFrom(100, 11_000, 70_000) }) },
);

describe('whatever is repeated, reordered, lost, killed in between', () => {
  afterEach(() => setCrashHook(undefined));

  it('each step is done as often as its report says: once or never, and undone exactly', async () => {
    await fc.assert(fc.asyncProperty(fc.array(anyMove, { minLength: 5, maxLength: 25 }), async moves => {
      const store = new MemoryStore({ serviceName: 'adapter-os' });
      const stand = await new JournalStand({}, store).start();
      const of = (step: number): CommandOptions => ({ step: `s${step}`, index: step, input: { connection: 'docs', key: `k${step % 3}/${step}`, value: step + 1 }, leaseMs: 30_000 });
      const commands: CloudEvent[] = Array.from({ length: STEPS }, (_, step) => stand.execute(of(step)));
      const probes = Array<number>(STEPS).fill(0);
      const restarted = async (): Promise<void> => {
        setCrashHook(undefined);
        stand.crash();
        await stand.start();
        await settled();
      };
      const handed = async (...events: readonly CloudEvent[]): Promise<void> => {
        await stand.journal.handle(stand.batch(...events)).catch(() => undefined);
        await settled();
        if (stand.fatal.splice(0).length > 0) await restarted();
      };
      for (const move of moves) {
        switch (move.move) {
          case 'execute': await handed(...Array<CloudEvent>(move.times).fill(commands[move.step]!)); break;
          case 'undo': await handed(...Array<CloudEvent>(move.times).fill(stand.undo(of(move.step)))); break;
          case 'probe': await handed(stand.probe({ ...of(move.step), probe: ++probes[move.step]! })); break;
          case 'crashAt': stand.crashAt(move.point, move.pass); break;
          case 'crash': await restarted(); break;
          case 'fate': { let left = 1; store.fate = () => (left-- > 0 ? move.fate : 'stored'); break; }
          case 'lose': { let left = 1; stand.adapter.after = method => { if (method === 'execute' && left-- > 0) throw new Error('lost'); }; break; }
          case 'pass': await stand.clock.advance(move.ms); if (stand.fatal.splice(0).length > 0) await restarted(); break;
        }
      }
      store.fate = () => 'stored';
      stand.adapter.after = () => undefined;
      await stand.clock.advance(10_000);
      await restarted();
      for (let step = 0; step < STEPS; step++) await handed(stand.probe({ ...of(step), probe: 99 }));

      const reports = await stand.reports();
      const final = (step: number): StepReported => reports.findLast(report => report.index === step && report.direction === 'forward' && report.probe === 99)!;
      for (let step = 0; step < STEPS; step++) {
        const { outcome } = final(step);
        expect(['succeeded', 'didNotHappen', 'refused']).toContain(outcome);
        expect(stand.effects()[`${workflowId(1)}/s${step}/1/forward`] ?? 0).toBe(outcome === 'succeeded' ? 1 : 0);
        // What was said to be final was never taken back.
        for (const report of reports) {
          if (report.index !== step || report.direction !== 'forward' || ['unknown', 'cannotTell'].includes(report.outcome)) continue;
          expect(report.outcome).toBe(outcome);
        }
        await handed(stand.undo({ ...of(step), attempt: 2 }));
        expect(stand.adapter.target.values.has(`k${step % 3}/${step}`)).toBe(false);
      }
      expect((await stand.reports()).filter(report => report.direction === 'undo').every(report => ['succeeded', 'unknown'].includes(report.outcome))).toBe(true);
      expect(stand.journal.depth()).toMatchObject({ steps: 0, open: 0 });
    }), { numRuns: 60 });
  });
});
