import type { CapabilityDescriptor } from '@aifirst/contracts';
import { CannotDo, type ActResult, type ExecutionAdapter, type Image, type ProbeResult, type StepCall, type UndoResult } from '@aifirst/execution';
import type { Json } from '@aifirst/kernel';
import type { Faults } from './options';
import type { Random } from './random';
import type { SimProcess } from './sim-process';
import { fromImage, sameEntries, toImage, type Change, type Entries, type Entry, type Target } from './target';
import type { World } from './world';

const LATENCY_MS_MAX = 20;

export interface AdapterParts {
  readonly process: SimProcess;
  readonly world: World;
  readonly target: Target;
  readonly random: Random;
  readonly capabilities: readonly CapabilityDescriptor[];
  readonly imageIsSensitive: boolean;
  /** Of now: none once everything is healed. */
  readonly faults: () => Faults;
  readonly paths: readonly string[];
}

/** How one request to the target goes. */
interface Course { readonly delayMs: number; readonly answer: 'given' | 'lost' }

/**
 * The adapter of the simulated target, with all that can go wrong on the way there and back. A request that has left goes
 * on without the process that sent it; a probe calls off what may still be under way.
 */
export class TargetAdapter implements ExecutionAdapter {
  readonly name = 'os';
  readonly imageIsSensitive: boolean;

  constructor(private readonly parts: AdapterParts) { this.imageIsSensitive = parts.imageIsSensitive; }

  capabilities(): readonly CapabilityDescriptor[] { return this.parts.capabilities.filter(({ adapter }) => adapter === 'os'); }
  async probeConnection(): Promise<{ readonly limitations: readonly string[] }> { return { limitations: [] }; }
  serialiseOn(call: StepCall): readonly string[] { return scopeOf(call); }
  async forget(): Promise<void> { /* nothing is set aside */ }

  async prepare(call: StepCall): Promise<Image> {
    await this.pause(LATENCY_MS_MAX);
    const { target } = this.parts;
    const entries = target.look(scopeOf(call));
    if (needsThing(call) && !target.has(String(call.input['path']))) throw new CannotDo('NOT_FOUND', 'there is nothing there');
    return toImage(entries);
  }

  async execute(call: StepCall, before: Image): Promise<ActResult> {
    const { random, target } = this.parts;
    const faults = this.parts.faults();
    if (call.input['fail'] === 'clean' || random.happens(faults.cleanFailure)) {
      await this.pause(LATENCY_MS_MAX);
      return { outcome: 'failed', error: { code: 'TARGET_SAYS_NO', detail: 'the target refuses', clean: true } };
    }
    const course = this.course(call, faults.lostAnswer, faults.slow);
    const arrived = this.request(call, course, () => {
      if (target.calledOff.has(call.key)) return 'calledOff';
      const scope = scopeOf(call);
      if (!sameEntries(target.look(scope), fromImage(before))) return 'changed';
      return call.capability === 'sim.read' ? target.look(scope) : target.write(call.key, scope, contentsOf(call, fromImage(before))).after;
    });
    const answer = await arrived;
    if (answer === 'aborted' || answer === 'lost') return { outcome: 'unknown', error: { code: answer === 'lost' ? 'ANSWER_LOST' : 'TIMEOUT', detail: 'no answer came', clean: false } };
    if (answer === 'calledOff' || answer === 'changed') return { outcome: 'failed', error: { code: 'TARGET_CHANGED', detail: 'somebody was there first', clean: true } };
    return { outcome: 'succeeded', output: this.outputOf(call, fromImage(before)), after: toImage(answer) };
  }

  async probe(call: StepCall, before: Image): Promise<ProbeResult> {
    const { random, target } = this.parts;
    await this.pause(LATENCY_MS_MAX);
    if (random.happens(this.parts.faults().blindProbe)) return { outcome: 'cannotTell', detail: 'the target can not be reached' };
    const done = target.applied.get(call.key);
    if (done !== undefined) return { outcome: 'succeeded', output: this.outputOf(call, fromImage(before)), after: toImage(done.after) };
    target.calledOff.add(call.key);
    return { outcome: 'didNotHappen' };
  }

  async undo(call: StepCall, before: Image, after: Image): Promise<UndoResult> {
    const { target } = this.parts;
    const faults = this.parts.faults();
    const scope = scopeOf(call);
    if (call.capability === 'sim.send') return { outcome: 'blocked', conflict: { resource: scope[0]!, what: 'what was sent can not be taken back', expected: 'nothing', found: 'a letter' } };
    const number = ++this.parts.target.requests;
    const answer = await this.request(call, this.course(call, faults.lostUndoAnswer, faults.slow), () => {
      if ((target.newest.get(call.key) ?? 0) > number) return 'calledOff';
      target.newest.set(call.key, number);
      const entries = target.look(scope);
      // Why: the marker of the undo tells it from somebody's change that looks like ours from before.
      if (target.applied.has(call.key)) return entries;
      if (sameEntries(entries, fromImage(before))) { target.foundAsBefore(call.key); return entries; }
      if (!sameEntries(entries, fromImage(after))) {
        target.conflicts.push({ tick: this.parts.world.tick, key: call.key, scope, expected: fromImage(after), entries });
        return 'changed';
      }
      return this.takeBack(call, scope, fromImage(before)).after;
    });
    if (answer === 'changed') return { outcome: 'blocked', conflict: { resource: scope[0]!, what: 'it was changed since', expected: 'ours', found: 'another' } };
    if (answer === 'lost' || answer === 'aborted' || answer === 'calledOff') return { outcome: 'unknown', error: { code: 'ANSWER_LOST', detail: 'no answer came', clean: false } };
    return { outcome: 'undone', verified: sameEntries(answer, fromImage(before)), reason: null };
  }

  protected takeBack(call: StepCall, scope: readonly string[], before: Entries): Change { return this.parts.target.write(call.key, scope, before); }

  private course(call: StepCall, lost: number, slow: number): Course {
    const { random } = this.parts;
    const isSlow = random.happens(slow);
    return { delayMs: isSlow ? random.between(0, 2 * call.timeoutMs) : random.between(0, LATENCY_MS_MAX), answer: random.happens(lost) ? 'lost' : 'given' };
  }

  /** Sends a request; what `arrive` does is done when it gets there, whoever waits for it by then. */
  private request<T extends Entries | 'changed' | 'calledOff'>(call: StepCall, { delayMs, answer }: Course, arrive: () => T): Promise<T | 'lost' | 'aborted'> {
    const { world, process, target, random } = this.parts;
    // Why: half of the requests die with the process, as those of a target on this very machine do.
    const owner = random.happens(0.5) ? process : null;
    target.underWay.set(call.key, (target.underWay.get(call.key) ?? 0) + 1);
    return process.guard(() => new Promise<T | 'lost' | 'aborted'>(resolve => {
      const gone = (): void => { target.underWay.set(call.key, target.underWay.get(call.key)! - 1); };
      const forget = owner?.onEnd(gone);
      world.after(delayMs, () => {
        forget?.();
        gone();
        const result = arrive();
        world.after(answer === 'lost' ? random.between(0, 2_000) : random.between(0, LATENCY_MS_MAX), () => resolve(answer === 'lost' ? 'lost' : result), process);
      }, owner);
      // Why: some clients give up when they are told to, others hang on.
      if (random.happens(0.7)) call.signal.addEventListener('abort', () => resolve('aborted'), { once: true });
    }));
  }

  private pause(mostMs: number): Promise<void> {
    const { world, process, random } = this.parts;
    return process.guard(() => new Promise<void>(resolve => { world.after(random.between(0, mostMs), resolve, process); }));
  }

  private outputOf(call: StepCall, before: Entries): Json {
    const path = String(call.input['path']);
    const { paths } = this.parts;
    const next = paths[(paths.indexOf(path) + 1) % paths.length]!;
    return { path, next, ...(call.capability === 'sim.read' ? { content: before.map(([, { content }]) => String(content)).join('\n') } : {}) };
  }
}

const needsThing = ({ capability }: StepCall): boolean => capability === 'sim.remove' || capability === 'sim.move';
export const scopeOf = ({ input }: StepCall): readonly string[] => (input['to'] === undefined ? [String(input['path'])] : [String(input['path']), String(input['to'])].sort());

/** What the scope holds after the call. */
function contentsOf({ capability, input }: StepCall, before: Entries): readonly (readonly [string, Json | Entry])[] {
  const path = String(input['path']);
  const to = String(input['to']);
  switch (capability) {
    case 'sim.put': case 'sim.send': return [...before.filter(([at]) => at !== path), [path, input['content']!]];
    case 'sim.remove': return before.filter(([at]) => at !== path);
    case 'sim.move': return [...before.filter(([at]) => at !== path && at !== to), [to, before.find(([at]) => at === path)![1].content]];
    default: return [];
  }
}
