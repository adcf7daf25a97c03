import type { IntentBody } from './types';
import { Encoder, type Given } from './encoding';
import { Ref, tokenOf } from './ref';
import { timeOf } from './connection';

export const STEP_ID = /^[A-Za-z0-9_-]{1,64}$/;
const STEM_LENGTH_MAX = 56;

export interface IntentOptions {
  /** `saga` unless given. `atomic`: what can prepare commits together at the end. */
  readonly mode?: 'saga' | 'atomic';
  /** `rollback` unless given. `pause`: a person decides. */
  readonly onFailure?: 'rollback' | 'pause' | 'keep';
  /** Of the whole. */
  readonly deadlineMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly subjects?: readonly string[];
}

export interface StepOptions {
  /** Its name; by default made of the capability's, the same every time. */
  readonly id?: string;
  /** What must have succeeded before; what a reference leads to need not be named. */
  readonly dependsOn?: StepHandle | string | readonly (StepHandle | string)[];
  /** Of one attempt; 30,000 unless given. */
  readonly timeoutMs?: number;
  /** How often it is tried at most, after clean failures only. */
  readonly attempts?: number;
}

export type StepBody = Extract<IntentBody, { readonly steps: unknown }>['steps'][number];
export type InputOf = { readonly [name: string]: Given };

export class StepHandle {
  /** Made by `Intent.step`. */
  constructor(private readonly intent: Intent, readonly id: string) {}

  /**
   * What the step will answer, or a part of it: `step.output('rows', 0, 'name')`. It stands for a whole field of another step's
   * input, and brings the dependency along.
   */
  output(...path: readonly (string | number)[]): Ref { return new Ref(this.intent, this.id, path.map(tokenOf)); }

  /** Whether it is a step of that intent. */
  isOf(intent: Intent): boolean { return this.intent === intent; }
}

/** Something to be done, as a whole: steps that run as soon as what they rest on is there, and are taken back together. */
export class Intent {
  readonly #steps = new Map<string, StepBody>();
  readonly #fields: Omit<Extract<IntentBody, { readonly steps: unknown }>, 'steps'>;
  readonly #encoder = new Encoder(value => this.#reference(value));

  constructor(readonly goal: string, { mode, onFailure, deadlineMs, labels, subjects }: IntentOptions = {}) {
    if (typeof goal !== 'string' || goal === '') throw new TypeError('an intent has a goal: a text that says what it is for');
    this.#fields = {
      goal, ...(mode === undefined ? {} : { mode }), ...(onFailure === undefined ? {} : { onFailure }), ...(deadlineMs === undefined ? {} : { deadlineMs: timeOf('deadlineMs', deadlineMs, 1) }),
      ...(labels === undefined ? {} : { labels: { ...labels } }), ...(subjects === undefined ? {} : { subjects: [...subjects] }),
    };
  }

  /** Adds a step. @param input what the capability takes; a part of an earlier step's `output` may stand for any field */
  step(capability: string, input: InputOf = {}, { id, dependsOn = [], timeoutMs, attempts }: StepOptions = {}): StepHandle {
    if (typeof capability !== 'string' || capability === '') throw new TypeError('a step names a capability, such as `fs.write`');
    const name = id ?? freeIdOf(capability, one => this.#steps.has(one));
    if (!STEP_ID.test(name)) throw new TypeError('the id of a step is 1 to 64 letters, digits, `_` or `-`');
    if (this.#steps.has(name)) throw new RangeError(`there is a step \`${name}\` already`);
    const before = this.#idsOf(dependsOn);
    this.#steps.set(name, {
      id: name, capability, input: this.#encoder.object(input, `step \`${name}\`: `),
      ...(before.length === 0 ? {} : { dependsOn: before }), ...(timeoutMs === undefined ? {} : { timeoutMs: timeOf('timeoutMs', timeoutMs, 1) }), ...(attempts === undefined ? {} : { retry: { attemptsMax: attempts } }),
    });
    return new StepHandle(this, name);
  }

  /** As it is sent. A copy: what is done to it does not change the intent. */
  toJSON(): Extract<IntentBody, { readonly steps: unknown }> {
    if (this.#steps.size === 0) throw new RangeError('an intent has at least one step');
    return structuredClone({ ...this.#fields, steps: [...this.#steps.values()] });
  }

  #reference(value: unknown): { readonly $ref: string } | undefined {
    if (value instanceof StepHandle) throw new TypeError('that is a step; what it answers is its `.output()`');
    if (!(value instanceof Ref)) return undefined;
    if (!value.isOf(this)) throw new TypeError(`${value.pointer} is of another intent`);
    return { $ref: value.pointer };
  }

  #idsOf(steps: NonNullable<StepOptions['dependsOn']>): string[] {
    const each = typeof steps === 'string' || steps instanceof StepHandle ? [steps] : steps;
    for (const one of each) if (one instanceof StepHandle && !one.isOf(this)) throw new TypeError(`step \`${one.id}\` is of another intent`);
    return [...new Set(each.map(one => (typeof one === 'string' ? one : one.id)))];
  }
}

export function freeIdOf(capability: string, isTaken: (id: string) => boolean): string {
  const stem = capability.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, STEM_LENGTH_MAX) || 'step';
  let id = stem;
  for (let number = 2; isTaken(id); number++) id = `${stem}-${number}`;
  return id;
}
