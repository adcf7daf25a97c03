import { startTestPostgres, until, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Json, JsonObject } from '@aifirst/kernel';
import type { Client } from 'pg';
import { clientOf, kept, killServer, openStand, snapshotOf, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE counter (id int PRIMARY KEY, number int NOT NULL); INSERT INTO counter VALUES (1, 0), (2, 0);
  CREATE TABLE entry (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, counter int REFERENCES counter ON DELETE CASCADE, text text);
  INSERT INTO entry (counter, text) SELECT 2, repeat('x', i) FROM generate_series(1, 50) i`;
/** One row changed, one deleted with fifty by cascade, one inserted. */
const SCRIPT = `UPDATE counter SET number = number + 1 WHERE id = 1; DELETE FROM counter WHERE id = 2; INSERT INTO entry (counter, text) VALUES (1, $1) RETURNING text`;

/** How long COMMIT takes here: the server waits so long before it makes its log durable. */
const COMMIT_MS = 100;
type Moment = 'while it works' | 'before COMMIT' | 'during COMMIT' | 'as COMMIT ends' | 'after COMMIT';
const MOMENTS: readonly Moment[] = ['while it works', 'before COMMIT', 'during COMMIT', 'as COMMIT ends', 'after COMMIT'];

/** A server of its own for each: one that ended too often within a minute is not started again. */
describe.each(['forward', 'undo'] as const)('a server that is killed with all its processes: %s', direction => {
  let postgres: TestPostgres;
  let stand: SqlStand;
  let client: Client | undefined;
  beforeAll(async () => { postgres = await startTestPostgres({ fsync: 'on', full_page_writes: 'on', commit_siblings: '0' }); });
  afterAll(async () => { await postgres.stop(); });
  beforeEach(async () => {
    stand = await openStand(postgres, SCHEMA);
    expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
    await stand.other.query(`ALTER DATABASE ${stand.other.database} SET commit_delay = ${COMMIT_MS * 1_000}`);
  });
  afterEach(async () => { await client?.end(); await stand.close(); });

  /** An adapter whose server dies at the moment, once. */
  function dying(moment: Moment): SqlStand['adapter'] {
    let isArmed = true;
    const kill = (afterMs: number | null): void => {
      isArmed = false;
      if (afterMs === null) killServer(postgres); else setTimeout(() => killServer(postgres), afterMs);
    };
    return stand.newAdapter({
      boundary: name => {
        if (!isArmed) return;
        if (name === 'committed' && moment === 'after COMMIT') kill(null);
        if (name !== 'commit') return;
        if (moment === 'before COMMIT') kill(null);
        if (moment === 'during COMMIT') kill(COMMIT_MS / 3);
        if (moment === 'as COMMIT ends') kill(COMMIT_MS);
      },
    });
  }

  /** Somebody holds a row, so that the work is under way until the server dies. */
  async function whileItWaits<T>(act: () => Promise<T>): Promise<T> {
    await stand.other.query('BEGIN; SELECT * FROM counter WHERE id = 1 FOR UPDATE');
    const acting = act();
    await until(async () => (await stand.other.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount! > 0, 10_000, 'the work to wait');
    killServer(postgres);
    return acting;
  }

  const ofForward = async (moment: Moment): Promise<void> => {
    const before = await snapshotOf(stand.other);
    const call = stand.call('sql.script', SCRIPT, ['new']);
    const image = kept(await stand.adapter.prepare(call)) as JsonObject;
    const adapter = dying(moment);
    const result = await (moment === 'while it works' ? whileItWaits(() => adapter.execute(call, image)) : adapter.execute(call, image));
    const own = client = await clientOf(postgres, stand.other.database!);
    // Another process asks, as after a crash of our own.
    const asking = stand.newAdapter();
    let found = await asking.probe(call, image);
    await until(async () => (found = await asking.probe(call, image)).outcome !== 'cannotTell', 30_000, 'an answer');
    const isDone = found.outcome === 'succeeded';
    if (moment === 'while it works') expect(result).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST', clean: true } });
    else if (moment === 'before COMMIT' || moment === 'during COMMIT') expect(result).toMatchObject({ outcome: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    else if (moment === 'after COMMIT') expect(result.outcome).toBe('succeeded');
    if (result.outcome !== 'unknown') expect(isDone).toBe(result.outcome === 'succeeded');
    if (moment === 'before COMMIT') expect(isDone).toBe(false);
    const numbers = async (): Promise<Json> => (await own.query(`SELECT (SELECT array_agg(number ORDER BY id) FROM counter) AS numbers, (SELECT count(*)::int FROM entry) AS entries`)).rows[0];
    const once = { numbers: [1], entries: 1 };
    expect(await numbers()).toEqual(isDone ? once : { numbers: [0, 0], entries: 50 });
    // Sent again under the same key: as it was found.
    expect((await asking.execute(call, image)).outcome).toBe(isDone ? 'succeeded' : 'failed');
    expect(await asking.probe(call, image)).toEqual(found);
    expect(await numbers()).toEqual(isDone ? once : { numbers: [0, 0], entries: 50 });
    if (found.outcome === 'succeeded') {
      expect(found.output).toMatchObject({ results: [{ rowCount: 1 }, { rowCount: 1 }, { rows: [{ text: 'new' }] }] });
      expect(await asking.undo(call, image, found.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    }
    expect(await snapshotOf(own)).toEqual(before);
  };

  const ofUndo = async (moment: Moment): Promise<void> => {
    const before = await snapshotOf(stand.other);
    const { call, before: image, after } = await stand.done(SCRIPT, ['new'], 'sql.script');
    const done = await snapshotOf(stand.other);
    const adapter = dying(moment);
    const result = await (moment === 'while it works' ? whileItWaits(() => adapter.undo(call, image, after)) : adapter.undo(call, image, after));
    const own = client = await clientOf(postgres, stand.other.database!);
    expect(result.outcome).toBe(moment === 'after COMMIT' ? 'undone' : moment === 'as COMMIT ends' ? result.outcome : 'unknown');
    // All or nothing of it.
    const found = await snapshotOf(own);
    if (moment === 'while it works' || moment === 'before COMMIT') expect(found).toEqual(done);
    else if (result.outcome === 'undone') expect(found).toEqual(before);
    else expect([before, done]).toContainEqual(found);
    const asking = stand.newAdapter();
    expect(await asking.undo(call, image, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await asking.undo(call, image, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await snapshotOf(own)).toEqual(before);
  };

  it.each(MOMENTS)('%s is found done once or not at all, by its proof', async moment => { await (direction === 'forward' ? ofForward : ofUndo)(moment); });
});
