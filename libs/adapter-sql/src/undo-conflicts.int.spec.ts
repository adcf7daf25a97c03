import { startTestPostgres, until, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Json } from '@aifirst/kernel';
import { openStand, snapshotOf, type Done, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE parent (id int PRIMARY KEY, email text UNIQUE, place int UNIQUE);
  CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE, note text);
  CREATE TABLE kept (id int PRIMARY KEY, parent int REFERENCES parent);
  CREATE TABLE secret (token text PRIMARY KEY, number int);
  CREATE TABLE times_two (id int PRIMARY KEY, number int);
  CREATE FUNCTION doubling() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.number := NEW.number * 2; RETURN NEW; END $$;
  CREATE TRIGGER doubling BEFORE INSERT OR UPDATE ON times_two FOR EACH ROW EXECUTE FUNCTION doubling();
  ALTER TABLE times_two ENABLE ALWAYS TRIGGER doubling;
  INSERT INTO parent VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);
  INSERT INTO child VALUES (1, 1, 'x'), (2, 2, 'y');
  INSERT INTO secret VALUES ('canary-row', 1);
  INSERT INTO times_two VALUES (1, 1);`;

let postgres: TestPostgres;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });

describe.each([['without triggers', false], ['with triggers switched off by the owner', true]])('an undo %s', (_, asOwner) => {
  let stand: SqlStand;
  beforeEach(async () => {
    stand = await openStand(postgres, SCHEMA, { asOwner });
    expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
  });
  afterEach(async () => { await stand.close(); });

  const undo = ({ call, before, after }: Done, timeoutMs = 30_000) => stand.adapter.undo({ ...call, timeoutMs }, before, after);
  const blocked = (resource: string, what: RegExp) => ({ outcome: 'blocked', conflict: { resource, what: expect.stringMatching(what) } });

  it.each<[string, string, string, string, RegExp]>([
    ['a row that was changed since', 'UPDATE parent SET place = 10 WHERE id = 1', 'UPDATE parent SET place = 11 WHERE id = 1', 'public.parent', /"id" ?: ?"1".*changed since/],
    ['a row that was deleted since', 'UPDATE parent SET place = 10 WHERE id = 3', 'DELETE FROM parent WHERE id = 3', 'public.parent', /"3".*deleted since/],
    ['a row that was inserted since', 'DELETE FROM parent WHERE id = 3', `INSERT INTO parent VALUES (3, 'new', 33)`, 'public.parent', /"3".*inserted since/],
    ['a unique value that was taken since', `UPDATE parent SET email = 'new' WHERE id = 1`, `INSERT INTO parent VALUES (4, 'a', 4)`, 'public.parent', /taken by another row/],
    ['a parent that is gone since', 'DELETE FROM child WHERE id = 2', 'DELETE FROM parent WHERE id = 2', '', /refer|not there/],
    ['a row that refers to an inserted one since', `INSERT INTO parent VALUES (5, 'e', 5)`, `INSERT INTO kept VALUES (1, 5)`, '', /refer/],
    ['a column that was added since', 'UPDATE child SET note = NULL', 'ALTER TABLE child ADD COLUMN more int', 'public.child', /schema changed/],
    ['a column whose type was changed since', 'UPDATE child SET note = NULL', 'ALTER TABLE child ALTER COLUMN note TYPE varchar(9)', 'public.child', /schema changed/],
    ['a table that was dropped since', 'UPDATE child SET note = NULL', 'DROP TABLE child', 'public.child', /dropped/],
    ['images that somebody changed', 'UPDATE child SET note = NULL', `UPDATE aifirst.images SET old = replace(old, 'x', 'z')`, '', /images/],
  ])('stops at %s', async (__, ours, theirs, place, what) => {
    const done = await stand.done(ours);
    await stand.other.query(theirs);
    const disturbed = await snapshotOf(stand.other);
    expect(await undo(done)).toMatchObject(blocked(place === '' ? expect.any(String) as never : `sql://crm/${place}`, what));
    expect(await snapshotOf(stand.other)).toEqual(disturbed);
  });

  it('never takes along by cascade what somebody else added', async () => {
    const done = await stand.done(`INSERT INTO parent VALUES (5, 'e', 5)`);
    await stand.other.query(`INSERT INTO child VALUES (9, 5, 'theirs')`);
    expect(await undo(done)).toMatchObject({ outcome: 'blocked' });
    expect((await stand.other.query('SELECT * FROM child WHERE id = 9')).rows).toEqual([{ id: 9, parent: 5, note: 'theirs' }]);
    await stand.other.query('DELETE FROM child WHERE id = 9');
    expect(await undo(done)).toMatchObject({ outcome: 'undone', verified: true });
  });

  it.each([
    ['by a cascade', `UPDATE child SET note = 'first' WHERE id = 1`, 'DELETE FROM parent WHERE id = 1', 'public.child'],
    ['by a trigger', `UPDATE child SET note = 'first' WHERE id = 2`, 'UPDATE parent SET place = 20 WHERE id = 2', 'public.child'],
  ])('stops where another step met it %s alone, and goes on when that one is taken back', async (__, ours, theirs, place) => {
    await stand.other.query(`CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.child SET note = note || '!' WHERE parent = NEW.id; RETURN NULL; END $$; CREATE TRIGGER noted AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION noted()`);
    const before = await snapshotOf(stand.other);
    const first = await stand.done(ours);
    const between = await snapshotOf(stand.other);
    const second = await stand.done(theirs);
    const after = await snapshotOf(stand.other);
    expect(await undo(first)).toMatchObject(blocked(`sql://crm/${place}`, /since/));
    expect(await snapshotOf(stand.other)).toEqual(after);
    expect(await undo(second)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await snapshotOf(stand.other)).toEqual(between);
    expect(await undo(first)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('finds done what somebody else has put back already', async () => {
    const done = await stand.done('UPDATE parent SET place = place + 10');
    await stand.other.query('UPDATE parent SET place = 1 WHERE id = 1');
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect((await stand.other.query('SELECT place FROM parent ORDER BY id')).rows).toEqual([{ place: 1 }, { place: 2 }, { place: 3 }]);
  });

  it('lets values change places under a unique constraint', async () => {
    await stand.other.query('CREATE TABLE seat (id int PRIMARY KEY, number int, UNIQUE (number) DEFERRABLE); INSERT INTO seat SELECT i, i FROM generate_series(1, 5) i');
    if (asOwner) await stand.other.query(`ALTER TABLE seat OWNER TO o${stand.other.database}`);
    await stand.adapter.probeConnection(stand.connection);
    const before = await snapshotOf(stand.other);
    const done = await stand.done('UPDATE seat SET number = 6 - number');
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('is not bent by a trigger that always acts', async () => {
    const before = await snapshotOf(stand.other);
    const done = await stand.done('UPDATE times_two SET number = 7');
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('is unclear, not blocked, while somebody holds the row, and done when they let go', async () => {
    const done = await stand.done('UPDATE parent SET place = 10 WHERE id = 1');
    await stand.other.query('BEGIN; SELECT * FROM parent WHERE id = 1 FOR UPDATE');
    expect(await undo(done, 300)).toMatchObject({ outcome: 'unknown', error: { clean: false } });
    await stand.other.query('ROLLBACK');
    expect(await undo(done)).toMatchObject({ outcome: 'undone' });
  });

  it('leaves no orphan when a parent is deleted at the same moment', async () => {
    const done = await stand.done('DELETE FROM child WHERE id = 2');
    await stand.other.query('BEGIN; DELETE FROM parent WHERE id = 2');
    const undoing = undo(done);
    await until(async () => (await stand.other.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount! > 0, 5_000, 'the undo to wait');
    await stand.other.query('COMMIT');
    expect(await undoing).toMatchObject({ outcome: 'blocked' });
    expect((await stand.other.query('SELECT 1 FROM child c WHERE NOT EXISTS (SELECT 1 FROM parent p WHERE p.id = c.parent)')).rowCount).toBe(0);
  });

  it('is done once by two at once', async () => {
    const before = await snapshotOf(stand.other);
    const done = await stand.done('DELETE FROM parent WHERE id = 1');
    expect(await Promise.all([undo(done), undo(done)])).toEqual([{ outcome: 'undone', verified: true, reason: null }, { outcome: 'undone', verified: true, reason: null }]);
    expect(await snapshotOf(stand.other)).toEqual(before);
  });

  it('tells nothing of what a row or its key holds', async () => {
    const done = await stand.done('UPDATE secret SET number = 2');
    await stand.other.query('UPDATE secret SET number = 3');
    const result = await undo(done);
    expect(result).toMatchObject(blocked('sql://crm/public.secret', /changed since/));
    expect(JSON.stringify(result)).not.toContain('canary');
  });

  it('keeps no image once it is done, and no proof once it is forgotten', async () => {
    const done = await stand.done('DELETE FROM parent WHERE id = 1');
    expect((await stand.other.query('SELECT 1 FROM aifirst.images')).rowCount).toBe(2);
    await undo(done);
    expect((await stand.other.query('SELECT 1 FROM aifirst.images')).rowCount).toBe(0);
    expect((await stand.other.query('SELECT 1 FROM aifirst.effects')).rowCount).toBe(2);
    await stand.adapter.forget(done.call, done.before);
    expect((await stand.other.query('SELECT 1 FROM aifirst.effects')).rowCount).toBe(0);
  });
});

describe('what is told of a failure', () => {
  let stand: SqlStand;
  beforeAll(async () => { stand = await openStand(postgres, SCHEMA); await stand.adapter.probeConnection(stand.connection); });
  afterAll(async () => { await stand.close(); });
  const execute = async (sql: string, params: readonly Json[], capability = 'sql.execute') => {
    const call = stand.call(capability, sql, params);
    return stand.adapter.execute(call, JSON.parse(JSON.stringify(await stand.adapter.prepare(call))));
  };

  it.each<[string, Json[], RegExp]>([
    ['INSERT INTO secret VALUES ($1, 1)', ['canary-row'], /unique.*constraint `secret_pkey` \[23505\]|unique.*\[23505\]/],
    ['INSERT INTO secret VALUES (\'z\', $1)', ['canary-number'], /\[22P02\]/],
    ['INSERT INTO secret SELECT $1, nothing FROM parent', ['canary'], /column "nothing" does not exist/],
    ['INSERT INTO child VALUES (7, $1, \'canary\')', [77], /\[23503\]/],
    ['INSERT INTO parent VALUES (9, $1, $2)', ['canary', '99999999999'], /\[22003\]/],
  ])('%s holds no value', async (sql, params, detail) => {
    const result = await execute(sql, params);
    expect(result).toMatchObject({ outcome: 'failed', error: { clean: true, code: 'SQL_ERROR', detail: expect.stringMatching(detail) } });
    expect(JSON.stringify(result)).not.toContain('canary');
  });

  it('is clean where the answer is too large, and nothing is done', async () => {
    expect(await execute('UPDATE parent SET place = place + 100 RETURNING repeat(\'x\', 90000) AS a, repeat(\'x\', 90000) AS b, repeat(\'x\', 90000) AS c, repeat(\'x\', 90000) AS d', [])).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', clean: true } });
    expect(await execute('SELECT i FROM generate_series(1, 100000) i', [], 'sql.query')).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', clean: true } });
    expect((await stand.other.query('SELECT 1 FROM parent WHERE place > 100')).rowCount).toBe(0);
  });

  it.each([['SELECT 1 AS a, 2 AS a'], ['SELECT id, id FROM parent']])('refuses two columns of one name: %s', async sql => {
    expect(await execute(sql, [], 'sql.query')).toMatchObject({ outcome: 'failed', error: { code: 'INVALID_SQL' } });
  });

  it('keeps outputs unreadable and parameters nowhere in the target', async () => {
    await execute('UPDATE parent SET place = place WHERE email <> $1 RETURNING $2::text AS said', ['canary-param', 'canary-output']);
    const { rows } = await stand.other.query(`SELECT e::text AS row FROM aifirst.effects e UNION ALL SELECT i::text FROM aifirst.images i`);
    const hex = Buffer.from('canary').toString('hex');
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ row }: { row: string }) => row.includes('canary') || row.includes(hex))).toEqual([]);
  });
});
