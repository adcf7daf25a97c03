import { connectionStampOf, type Connection } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import { ConnectionCache } from './connection-cache';

const docs = (revision: number, root = '/srv'): Connection => ({ tenant: 't', name: 'docs', adapter: 'os', config: { root }, secretRefs: {}, labels: {}, revision, digest: `sha256:${root.padStart(64, '0')}` });

class Stand {
  now = 0;
  asked = 0;
  owner: Connection | null = docs(1);
  away = false;
  /** Answers that are held back. */
  slow: (() => void)[] | null = null;
  readonly cache = new ConnectionCache({
    clock: { now: () => this.now },
    ask: async () => {
      this.asked++;
      const found = this.owner;
      if (this.slow !== null) await new Promise<void>(resolve => this.slow!.push(resolve));
      if (this.away) throw new OperationalError('SERVICE_UNAVAILABLE', 'away', { retryable: true });
      return found;
    },
  });
  resolve(stamp?: string) { return this.cache.resolve('t', 'docs', stamp); }
}

describe('connections that are kept', () => {
  it('are asked for once in two seconds, however many want them at a time', async () => {
    const stand = new Stand();
    await Promise.all([stand.resolve(), stand.resolve(), stand.resolve(connectionStampOf(docs(1)))]);
    await stand.resolve();
    expect(stand.asked).toBe(1);
    stand.now = 2_000;
    await stand.resolve();
    expect(stand.asked).toBe(2);
  });
  it('give way at once to what was admitted after a change', async () => {
    const stand = new Stand();
    await stand.resolve();
    stand.owner = docs(2, '/other');
    expect(await stand.resolve(connectionStampOf(docs(2, '/other')))).toEqual(docs(2, '/other'));
    expect(await stand.resolve()).toEqual(docs(2, '/other'));
    expect(stand.asked).toBe(2);
  });
  it('give way to what was deleted and made anew with the same revision', async () => {
    const stand = new Stand();
    await stand.resolve();
    stand.owner = docs(1, '/new');
    expect(await stand.resolve(connectionStampOf(docs(1, '/new')))).toEqual(docs(1, '/new'));
  });
  it('are asked for once on behalf of old plans, which get what there is', async () => {
    const stand = new Stand();
    stand.owner = docs(2, '/other');
    for (let i = 0; i < 5; i++) expect(await stand.resolve(connectionStampOf(docs(1)))).toEqual(docs(2, '/other'));
    expect(stand.asked).toBeLessThanOrEqual(2);
  });
  it('are not taken from an answer that may be from before the change', async () => {
    const stand = new Stand();
    stand.slow = [];
    const first = stand.resolve();
    stand.owner = docs(2, '/other');
    const second = stand.resolve(connectionStampOf(docs(2, '/other')));
    const answer = stand.slow[0]!;
    stand.slow = null;
    answer();
    expect([await first, await second]).toEqual([docs(1), docs(2, '/other')]);
  });
  it('are not kept where there is none, or nobody answers', async () => {
    const stand = new Stand();
    stand.owner = null;
    expect(await stand.resolve()).toBeNull();
    stand.away = true;
    await expect(stand.resolve()).rejects.toMatchObject({ retryable: true });
    [stand.away, stand.owner] = [false, docs(1)];
    expect(await stand.resolve()).toEqual(docs(1));
  });
});
