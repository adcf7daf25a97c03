import { CONNECTIONS } from './capabilities';
import type { Options } from './options';
import type { Random } from './random';

export interface IntentBody { readonly goal: string; readonly onFailure: string; readonly deadlineMs: number; readonly steps: readonly StepBody[] }
interface StepBody { readonly id: string; readonly capability: string; readonly input: Record<string, unknown>; readonly dependsOn: string[]; readonly timeoutMs: number; readonly retry: { readonly attemptsMax: number } }

/** Paths that workflows share, some beneath others. */
export function pathsOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => (i % 4 === 3 ? `d${i >> 2}` : `d${(i >> 2) % 5}/f${i}`));
}

/** Intents as agents would send them. */
export class IntentMaker {
  private made = 0;
  private readonly paths: readonly string[];
  constructor(private readonly options: Options, private readonly random: Random) { this.paths = pathsOf(options.paths); }

  next(): IntentBody {
    const { options, random } = this;
    const number = ++this.made;
    const count = random.between(1, options.stepsMax);
    const steps: StepBody[] = [];
    for (let index = 0; index < count; index++) steps.push(this.step(number, index, count, steps));
    return {
      goal: `intent ${number}`, onFailure: random.weighted(options.onFailure),
      deadlineMs: random.between(options.deadlineMsMin, 600_000), steps,
    };
  }

  private step(intent: number, index: number, count: number, before: readonly StepBody[]): StepBody {
    const { options, random } = this;
    const capability = this.capability();
    const input: Record<string, unknown> = {};
    if (capability === 'noop') this.noop(input);
    else if (capability === 'timer.sleep') input['ms'] = random.between(1, 2_000);
    else {
      input['connection'] = random.pick(CONNECTIONS);
      input['path'] = this.reference(before, 'next', options.references * options.dynamicPaths) ?? random.pick(this.paths);
      if (capability === 'sim.put' || capability === 'sim.send') input['content'] = this.reference(before, 'content', options.references) ?? `content of ${intent}/${index}`;
      if (capability === 'sim.move') input['to'] = random.pick(this.paths);
      if (random.happens(options.hopeless)) input['fail'] = 'clean';
    }
    return {
      id: `s${index}`, capability, input, dependsOn: this.dependsOn(index, count), timeoutMs: random.between(options.timeoutMsMin, 30_000),
      retry: { attemptsMax: random.between(1, options.attemptsMax) },
    };
  }

  private capability(): string {
    const { options, random } = this;
    if (random.happens(options.irreversible)) return 'sim.send';
    return random.weighted({ 'sim.put': 10, 'sim.remove': 2, 'sim.sweep': 1, 'sim.move': 2, 'sim.read': 3, noop: 2, 'timer.sleep': 0.5 });
  }

  private noop(input: Record<string, unknown>): void {
    const { options, random } = this;
    input['value'] = random.between(0, 9);
    if (random.happens(options.hopeless)) input['fail'] = 'clean';
    else if (random.happens(options.hopeless)) Object.assign(input, { fail: 'unknown', probe: random.pick(['happened', 'didNotHappen', 'cannotTell']) });
  }

  /** To the output of an earlier step that has such a field. */
  private reference(before: readonly StepBody[], field: 'next' | 'content', share: number): { $ref: string } | null {
    const fitting = before.filter(({ capability }) => (field === 'content' ? capability === 'sim.read' : capability.startsWith('sim.')));
    return fitting.length > 0 && this.random.happens(share) ? { $ref: `#/steps/${this.random.pick(fitting).id}/output/${field}` } : null;
  }

  private dependsOn(index: number, count: number): string[] {
    if (index === 0) return [];
    const { random } = this;
    const all = Array.from({ length: index }, (_, i) => `s${i}`);
    switch (this.options.graph) {
      case 'chain': return [`s${index - 1}`];
      case 'fan': return ['s0'];
      case 'diamond': return index === count - 1 ? all : ['s0'];
      case 'random': return all.filter(() => random.happens(0.3));
      case 'free': return [];
    }
  }
}
