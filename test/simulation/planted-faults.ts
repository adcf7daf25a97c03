import type { Batch, Delivery } from '@aifirst/bus';
import type { Lease, PlanDecided, StepReported } from '@aifirst/contracts';
import type { ActResult, ExecutionAdapter, Image, StepCall, StepJournal, UndoResult } from '@aifirst/execution';
import { invariant, type JsonObject } from '@aifirst/kernel';
import { LockTable } from '@aifirst/orchestration';
import type { Log } from '@aifirst/store';
import type { Faults, Options } from './options';
import { scopeOf } from './target-adapter';
import { fromImage, type Target } from './target';

/**
 * A fault put into a run from outside, to show that the checks find it: what the services are handed is wrapped, what they
 * are made of is replaced in the one object at hand. Nothing in the product knows of it.
 */
export interface Plant {
  readonly name: string;
  /** Where few runs are bad enough in the way that shows it. */
  readonly options?: Partial<Omit<Options, 'faults'>>;
  readonly faults?: Partial<Faults>;
  readonly adapter?: (adapter: ExecutionAdapter, target: Target) => ExecutionAdapter;
  readonly journal?: (journal: StepJournal) => void;
  readonly orchestratorLog?: (log: Log) => Log;
  /** What the orchestrator gets to hear. */
  readonly orchestratorHears?: (batch: Batch) => Batch;
  /** Before the run. @returns what takes it back */
  readonly install?: () => () => void;
}
export const NOTHING_PLANTED: Plant = { name: 'nothing' };

const FORGED: Lease = { policyVersion: '1', controlEpoch: Number.MAX_SAFE_INTEGER, expiresAt: Number.MAX_SAFE_INTEGER, mac: 'forged' };

export const PLANTS: readonly Plant[] = [
  {
    name: 'no-fence', options: { graph: 'random', stepsMax: 8, paths: 40, deadlineMsMin: 600_000, faultsMs: 60_000, references: 0, hopeless: 0, forbidden: 0 },
    faults: { drop: 0.3, lateEveryMs: 3_000, crashEveryMs: 1_200, crashPoint: 0, together: 0, restartMsMax: 200, sleepEveryMs: 0, skewMsMax: 0, delayMsMax: 500, slow: 0.5, lostAnswer: 0 },
    journal: journal => { partOf(journal, 'fences')['check'] = () => 'pass'; },
  },
  { name: 'lease-ignored', faults: { holdEveryMs: 3_000, delayMsMax: 5_000 }, journal: journal => { partOf(journal, 'bench')['leave'] = async () => 'granted'; } },
  {
    name: 'repeat-acts-twice',
    // Takes every key as if nobody had it, and never looks whether somebody has.
    journal: journal => {
      const bench = partOf(journal, 'bench');
      const claim = bench['claim'] as (...given: unknown[]) => Promise<unknown>;
      bench['claim'] = async (...given: unknown[]) => (await claim.apply(bench, given)) ?? { position: 0 };
      const look = bench['look'] as (task: { kind?: string; direction: string }) => Promise<unknown>;
      bench['look'] = async (task: { kind?: string; direction: string }) => (task.kind === 'execute' ? null : look.call(bench, task));
    },
  },
  {
    name: 'act-before-journal',
    // Acts while it should only look.
    adapter: inner => {
      const done = new Map<string, ActResult>();
      return wrapped(inner, {
        prepare: async call => {
          const before = await inner.prepare(call);
          done.set(call.key, await inner.execute(call, before));
          return before;
        },
        execute: async (call, before) => done.get(call.key) ?? inner.execute(call, before),
      });
    },
  },
  {
    name: 'unknown-taken-for-failed',
    adapter: inner => wrapped(inner, {
      execute: async (call, before) => {
        const result = await inner.execute(call, before);
        return result.outcome === 'unknown' ? { outcome: 'failed', error: { ...result.error, clean: true } } : result;
      },
    }),
  },
  {
    name: 'foreign-change-overwritten',
    adapter: (inner, target) => wrapped(inner, {
      undo: async (call, before, after) => {
        const result = await inner.undo(call, before, after);
        if (result.outcome !== 'blocked' || call.capability === 'sim.send') return result;
        target.write(call.key, scopeOf(call), fromImage(before));
        return { outcome: 'undone', verified: true, reason: null };
      },
    }),
  },
  { name: 'undo-does-nothing', adapter: inner => wrapped(inner, { undo: async () => ({ outcome: 'undone', verified: true, reason: null }) }) },
  {
    name: 'undo-in-forward-order',
    // The orchestrator is told that what came later came first.
    orchestratorHears: changing('aifirst.execution.step-reported.v1', (report: StepReported) => ({ ...report, ...(report.actSequence === undefined ? {} : { actSequence: -report.actSequence }) })),
  },
  {
    name: 'decision-skipped',
    // Whatever policy says, the orchestrator hears an allow.
    orchestratorHears: changing('aifirst.policy.plan-decided.v1', (decided: PlanDecided) => ({ ...decided, decisions: decided.decisions.map(decision => ({ ...decision, outcome: 'allow' as const, lease: decision.lease ?? FORGED, undoLease: decision.undoLease ?? FORGED })) })),
  },
  {
    name: 'locks-ignored',
    install: () => {
      const real = { request: LockTable.prototype.request };
      LockTable.prototype.request = function (workflow, wanted, _late, at) { this.grant(workflow, wanted, at); return { answer: 'granted' }; };
      return () => { LockTable.prototype.request = real.request; };
    },
  },
  {
    name: 'lost-and-never-sent-again', faults: { drop: 0.35, lateEveryMs: 0 },
    // A row that holds nothing but what was sent before is stored empty.
    orchestratorLog: log => ({
      ...log, get producer() { return log.producer; }, get epoch() { return log.epoch; },
      commit: unit => log.commit({ ...unit, appends: (unit.appends ?? []).map(append => (append.messages.every(({ topic }) => topic.endsWith('.commands.v1')) ? { ...append, messages: [] } : append)) }),
    }),
  },
];

function wrapped(inner: ExecutionAdapter, changes: Partial<Pick<ExecutionAdapter, 'prepare' | 'execute' | 'undo'>>): ExecutionAdapter {
  return {
    name: inner.name, imageIsSensitive: inner.imageIsSensitive ?? false, capabilities: () => inner.capabilities(), probeConnection: connection => inner.probeConnection(connection),
    serialiseOn: call => inner.serialiseOn(call), probe: (call, before) => inner.probe(call, before), forget: (call, before, after) => inner.forget(call, before, after),
    prepare: (call: StepCall): Promise<Image> => (changes.prepare ?? inner.prepare.bind(inner))(call),
    execute: (call: StepCall, before: Image): Promise<ActResult> => (changes.execute ?? inner.execute.bind(inner))(call, before),
    undo: (call: StepCall, before: Image, after: Image): Promise<UndoResult> => (changes.undo ?? inner.undo.bind(inner))(call, before, after),
  };
}

/** A private part of the journal: planting a fault needs the very thing that prevents it. */
function partOf(journal: StepJournal, name: string): Record<string, unknown> {
  const part = (journal as unknown as Record<string, Record<string, unknown> | undefined>)[name];
  invariant(part !== undefined, `the step journal has no \`${name}\` any more: plant the fault elsewhere`);
  return part;
}

function changing<D extends object>(type: string, change: (data: D) => D): (batch: Batch) => Batch {
  const changed = (delivery: Delivery): Delivery => {
    const { message } = delivery;
    if (message.event.type !== type) return delivery;
    return { ...delivery, message: { ...message, event: { ...message.event, data: change(message.event.data as D) as JsonObject } } };
  };
  return batch => ({ ...batch, deliveries: batch.deliveries.map(changed) });
}
