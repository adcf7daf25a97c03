import type { Gap } from '../domain/sequencer';
import { MissingFacts, type AskedFeed } from './missing-facts';

/** Time that goes on when it is told to. */
class HandClock {
  #waiting: (() => void)[] = [];
  readonly after = (_delayMs: number, callback: () => void): (() => void) => { this.#waiting.push(callback); return () => undefined; };
  get isWaiting(): boolean { return this.#waiting.length > 0; }
  async look(): Promise<void> {
    for (const callback of this.#waiting.splice(0)) callback();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  async looks(count: number): Promise<void> { for (let i = 0; i < count; i++) await this.look(); }
}

const away = (): Error => new Error('connection refused');

function aWatch(state: { gaps?: Gap[]; folded?: number; end?: () => number; asked?: boolean; isStuck?: boolean; bring?: (gap: Gap) => Promise<void> }) {
  const clock = new HandClock();
  const brought: string[] = [];
  const errors: unknown[] = [];
  let polls = 0;
  const feed: AskedFeed = { source: 'p/0', head: () => 0, read: async () => [], onCommitted: () => () => undefined, refresh: async () => { polls++; return { lastSequence: state.end?.() ?? 0 }; } };
  const missing = new MissingFacts({
    clock, feeds: () => (state.asked === false ? [] : [feed]), gaps: () => state.gaps ?? [], folded: () => state.folded ?? 0, isStuck: () => state.isStuck === true,
    bring: async gap => { brought.push(`${gap.producer} ${gap.from}-${gap.to - 1}`); await state.bring?.(gap); }, onAway: error => { errors.push(error); },
  });
  missing.watch();
  return { clock, brought, errors, missing, polls: () => polls };
}

describe('missing facts', () => {
  it('are asked for when a gap has lasted, and not while gaps come and go', async () => {
    const state = { gaps: [{ producer: 'p/0', from: 3, to: 5 }] };
    const { clock, brought } = aWatch(state);
    await clock.look();
    state.gaps = [{ producer: 'p/0', from: 9, to: 10 }];
    await clock.look();
    state.gaps = [];
    await clock.look();
    state.gaps = [{ producer: 'p/0', from: 12, to: 13 }];
    await clock.look();
    expect(brought).toEqual([]);
    await clock.look();
    expect(brought).toEqual(['p/0 12-12']);
  });

  it('are asked for again while they are missing, after ever longer pauses', async () => {
    const { clock, brought } = aWatch({ gaps: [{ producer: 'p/0', from: 3, to: 5 }] });
    await clock.looks(2);
    expect(brought).toHaveLength(1);
    await clock.looks(2);
    expect(brought).toHaveLength(2);
    await clock.looks(4);
    expect(brought).toHaveLength(3);
    await clock.looks(7);
    expect(brought).toHaveLength(3);
    await clock.looks(1);
    expect(brought).toHaveLength(4);
  });

  it('are asked for once at a time per producer', async () => {
    let done!: () => void;
    const { clock, brought } = aWatch({ gaps: [{ producer: 'p/0', from: 3, to: 5 }], bring: () => new Promise(resolve => { done = resolve; }) });
    await clock.looks(20);
    expect(brought).toHaveLength(1);
    done();
    await clock.looks(2);
    expect(brought).toHaveLength(2);
  });

  it('show at the end of a log when its producer has come further and nothing moves', async () => {
    const state = { folded: 5, end: () => 8 };
    const { clock, brought, missing } = aWatch(state);
    await clock.looks(2);
    state.folded = 6;
    await clock.look();
    expect([brought, missing.tails()]).toEqual([[], []]);
    await clock.look();
    expect([brought, missing.tails()]).toEqual([['p/0 7-8'], [{ producer: 'p/0', from: 7, to: 9 }]]);
    state.folded = 8;
    await clock.look();
    expect(missing.tails()).toEqual([]);
  });

  it('are not looked for at the end while nothing can be stored, nor where a gap shows them already', async () => {
    const state = { folded: 5, end: () => 8, isStuck: true, gaps: [] as Gap[] };
    const { clock, brought, missing } = aWatch(state);
    await clock.looks(5);
    expect(brought).toEqual([]);
    state.isStuck = false;
    state.gaps = [{ producer: 'p/0', from: 6, to: 7 }];
    await clock.looks(2);
    expect([brought, missing.tails()]).toEqual([['p/0 6-6'], []]);
  });

  it('wait for a producer that is away, which is told once until it is back', async () => {
    const state = { folded: 5, end: (): number => { throw away(); } };
    const { clock, brought, errors } = aWatch(state);
    await clock.looks(10);
    expect([brought, errors.length]).toEqual([[], 1]);
    state.end = () => 7;
    await clock.looks(4);
    expect(brought).toEqual(['p/0 6-7']);
    state.end = () => { throw away(); };
    await clock.looks(4);
    expect(errors).toHaveLength(2);
  });

  it('ask every producer at every second look', async () => {
    const { clock, polls } = aWatch({});
    await clock.looks(10);
    expect(polls()).toBe(5);
  });

  it('let time alone where all logs are of this process and nothing is missing, and once stopped', async () => {
    const state = { asked: false, gaps: [{ producer: 'unknown/0', from: 1, to: 2 }] as Gap[] };
    const { clock, brought } = aWatch(state);
    await clock.looks(2);
    expect(brought).toEqual(['unknown/0 1-1']);
    state.gaps = [];
    await clock.look();
    expect(clock.isWaiting).toBe(false);
    const other = aWatch({});
    other.missing.stop();
    await other.clock.look();
    expect([other.clock.isWaiting, other.polls()]).toEqual([false, 0]);
  });
});
