import { processesOf } from './processes';
import { pause } from './wait';

export interface Target { readonly pid: number; readonly name: string }
/** What is done to whom, and what it took until work went on. */
export interface Injected { readonly what: string; readonly target: string; readonly atMs: number; recoveredMs: number | null }

const STRIKES_A_MINUTE_MAX = 4;

/** Processes of services that run on a data folder. */
export const servicesOf = (dataDir: string): Target[] =>
  processesOf(dataDir).flatMap(({ pid, command }) => {
    const name = /service\.js ([a-z-]+)/.exec(command)?.[1];
    return name === undefined ? [] : [{ pid, name }];
  });

/** A stream of numbers from 0 to 1 that a seed repeats. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface HavocOptions {
  readonly dataDir: string;
  readonly chance: () => number;
  /** Longest sleep of a frozen process, ms. */
  readonly freezeMs: readonly [number, number];
  readonly bounceBroker: () => Promise<void>;
  readonly bounceDatabase: () => Promise<void>;
  /** Resolves when a workflow that is sent now has ended. */
  readonly probe: () => Promise<void>;
}

/** Kills, freezes and restarts at random, one after the other, until it is called off. */
export class Havoc {
  readonly injected: Injected[] = [];
  private readonly strikesAtMs: number[] = [];
  private frozen = new Map<number, NodeJS.Timeout>();
  private calm = false;
  private probing: Promise<void>[] = [];

  constructor(private readonly options: HavocOptions) {}

  async rage(forMs: number): Promise<void> {
    const { chance } = this.options;
    for (const endsAt = Date.now() + forMs; Date.now() < endsAt;) {
      await this.one();
      await pause(500 + chance() * 2_500);
    }
  }

  /** Nobody sleeps any more; resolves when every probe has come back. */
  async settle(): Promise<void> {
    this.calm = true;
    for (const [pid, timer] of this.frozen) { clearTimeout(timer); signal(pid, 'SIGCONT'); }
    this.frozen.clear();
    await Promise.all(this.probing);
  }

  private async one(): Promise<void> {
    const { chance, freezeMs: [least, most], bounceBroker, bounceDatabase, dataDir } = this.options;
    const services = servicesOf(dataDir).filter(({ pid }) => !this.frozen.has(pid));
    const target = services[Math.floor(chance() * services.length)];
    const dice = chance();
    if (dice < 0.1) { const done = this.note('restart', 'broker'); await bounceBroker(); done(); return; }
    if (dice < 0.2 && this.mayStrikeDatabase()) { const done = this.note('restart', 'database'); await bounceDatabase(); done(); return; }
    if (target === undefined) return;
    if (dice < 0.65) { const done = this.note('SIGKILL', target.name); signal(target.pid, 'SIGKILL'); done(); return; }
    const sleepMs = least + chance() * (most - least);
    const done = this.note(`SIGSTOP ${Math.round(sleepMs / 1000)} s`, target.name);
    signal(target.pid, 'SIGSTOP');
    this.frozen.set(target.pid, setTimeout(() => { this.frozen.delete(target.pid); signal(target.pid, 'SIGCONT'); }, sleepMs));
    done();
  }

  /** Why: a server that ends more often within a minute is not started again, and nothing would ever recover. */
  private mayStrikeDatabase(): boolean {
    if (this.strikesAtMs.filter(at => at > Date.now() - 60_000).length >= STRIKES_A_MINUTE_MAX) return false;
    this.strikesAtMs.push(Date.now());
    return true;
  }

  private note(what: string, target: string): () => void {
    const injected: Injected = { what, target, atMs: Date.now(), recoveredMs: null };
    this.injected.push(injected);
    return () => {
      if (this.calm) return;
      this.probing.push(this.options.probe().then(() => { injected.recoveredMs = Date.now() - injected.atMs; }, () => undefined));
    };
  }

  /** For people: what was done how often, and how long it took until a workflow went through again. */
  report(): string {
    const by = new Map<string, number[]>();
    for (const { what, target, recoveredMs } of this.injected) {
      const key = `${what.replace(/ \d+ s$/, '')} ${target}`;
      by.set(key, [...(by.get(key) ?? []), recoveredMs ?? Number.NaN]);
    }
    return [...by].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, all]) => {
      const known = all.filter(Number.isFinite).sort((a, b) => a - b);
      const at = (share: number): string => (known.length === 0 ? '-' : `${(known[Math.min(known.length - 1, Math.floor(share * known.length))]! / 1000).toFixed(1)} s`);
      return `${key}: ${all.length}, recovered p50 ${at(0.5)}, max ${at(1)}`;
    }).join('\n');
  }
}

function signal(pid: number, name: NodeJS.Signals): void { try { process.kill(pid, name); } catch { /* gone */ } }
