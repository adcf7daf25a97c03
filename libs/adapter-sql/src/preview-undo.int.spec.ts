import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { openStand, snapshotOf, type Done, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE parent (id int PRIMARY KEY, email text UNIQUE, place int UNIQUE);
  CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE, note text);
  CREATE TABLE kept (id int PRIMARY KEY, parent int REFERENCES parent);
  CREATE TABLE numbered (id serial PRIMARY KEY, made int GENERATED ALWAYS AS IDENTITY, note text);
  CREATE TABLE note (text text);
  CREATE TABLE seat (id int PRIMARY KEY, number int, UNIQUE (number) DEFERRABLE);
  INSERT INTO parent VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);
  INSERT INTO child VALUES (1, 1, 'x'), (2, 2, 'y');
  INSERT INTO numbered (note) VALUES ('one'), ('two');
  INSERT INTO note VALUES ('x'), ('x'), ('y');
  INSERT INTO seat SELECT i, i FROM generate_series(1, 5) i;`;

let postgres: TestPostgres;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });

describe.each([['without triggers', false], ['with triggers switched off by the owner', true]])('an undo preview %s', (_, asOwner) => {
  let stand: SqlStand;
  beforeEach(async () => {
    stand = await openStand(postgres, SCHEMA, { asOwner });
    expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
  });
  afterEach(async () => { await stand.close(); });

  const preview = ({ call, before, after }: Done, timeoutMs = 30_000) => stand.adapter.previewUndo({ ...call, key: call.key.replace('/forward', '/undo'), timeoutMs }, before, after);
  const undo = ({ call, before, after }: Done) => stand.adapter.undo(call, before, after);

  /** Everything in the database, also what an undo need not put back. */
  async function everything(): Promise<unknown> {
    const sequences = (await stand.other.query<{ name: string }>(`SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences ORDER BY 1`)).rows;
    const states = await Promise.all(sequences.map(async ({ name }) => (await stand.other.query(`SELECT last_value, is_called FROM ${name}`)).rows));
    const ours = (await stand.other.query(`SELECT e::text AS row FROM aifirst.effects e UNION ALL SELECT i::text FROM aifirst.images i ORDER BY 1`)).rows;
    return { tables: await snapshotOf(stand.other), states, ours };
  }
  const locksOf = async (): Promise<number> => (await stand.other.query(`SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'aifirst') AND l.pid <> pg_backend_pid()`)).rowCount!;

  /** What the preview says is what the undo then says, and it leaves no trace. */
  async function holds(done: Done): Promise<Awaited<ReturnType<typeof preview>>> {
    const before = await everything();
    const told = await preview(done);
    expect(await everything()).toEqual(before);
    expect(await locksOf()).toBe(0);
    const result = await undo(done);
    if (result.outcome === 'blocked') {
      const [{ before: _before, after: _after, current: _current, ...first }] = told.conflicts as [(typeof told.conflicts)[number]];
      expect([told.outcome, first]).toEqual(['wouldBlock', result.conflict]);
    } else expect([told.outcome === 'wouldBlock', told.conflicts, result.outcome]).toEqual([false, [], 'undone']);
    return told;
  }

  it.each([
    'UPDATE parent SET place = place + 10', 'DELETE FROM parent WHERE id = 1', `INSERT INTO numbered (note) VALUES ('three')`, 'DELETE FROM numbered', `DELETE FROM note WHERE text = 'x'`, 'UPDATE seat SET number = 6 - number',
  ])('of %s says that it would be undone, once, and leaves no trace', async sql => {
    const done = await stand.done(sql);
    expect(await holds(done)).toMatchObject({ outcome: 'wouldUndo', summary: expect.stringMatching(/^puts back \d+ rows? of [12] tables?$/) as string });
    expect(await holds(done)).toMatchObject({ outcome: 'nothingToDo' });
  });

  it.each<[string, string, string, object | null, object | null, object | null]>([
    ['a row that was changed since', 'UPDATE parent SET place = 10 WHERE id = 1', 'UPDATE parent SET place = 11 WHERE id = 1', { id: 1, email: 'a', place: 1 }, { id: 1, email: 'a', place: 10 }, { id: 1, email: 'a', place: 11 }],
    ['a row that was deleted since', 'UPDATE parent SET place = 10 WHERE id = 3', 'DELETE FROM parent WHERE id = 3', { id: 3, email: 'c', place: 3 }, { id: 3, email: 'c', place: 10 }, null],
    ['a row that was inserted since', 'DELETE FROM parent WHERE id = 3', `INSERT INTO parent VALUES (3, 'new', 33)`, { id: 3, email: 'c', place: 3 }, null, { id: 3, email: 'new', place: 33 }],
    ['a unique value that was taken since', `UPDATE parent SET email = 'new' WHERE id = 1`, `INSERT INTO parent VALUES (4, 'a', 4)`, { id: 1, email: 'a', place: 1 }, { id: 1, email: 'new', place: 1 }, { id: 4, email: 'a', place: 4 }],
    ['a row without key that is gone since', `UPDATE note SET text = 'z' WHERE text = 'y'`, `DELETE FROM note WHERE text = 'z'`, null, { text: 'z' }, null],
    ['a column that was added since', 'UPDATE child SET note = NULL', 'ALTER TABLE child ADD COLUMN more int', null, null, null],
    ['a table that was dropped since', 'UPDATE child SET note = NULL', 'DROP TABLE child', null, null, null],
    ['images that somebody changed', 'UPDATE child SET note = NULL', `UPDATE aifirst.images SET old = replace(old, 'x', 'z')`, null, null, null],
  ])('shows three sides of %s', async (__, ours, theirs, before, after, current) => {
    const done = await stand.done(ours);
    await stand.other.query(theirs);
    expect(await holds(done)).toMatchObject({ outcome: 'wouldBlock', truncated: false, conflicts: [{ before, after, current }] });
  });

  it('shows what would refer to nothing, either way, where no foreign key acts', async () => {
    const gone = await stand.done('DELETE FROM child WHERE id = 2');
    await stand.other.query('DELETE FROM parent WHERE id = 2');
    const added = await stand.done(`INSERT INTO parent VALUES (5, 'e', 5)`);
    await stand.other.query('INSERT INTO kept VALUES (1, 5)');
    const [outward, inward] = [await holds(gone), await holds(added)];
    expect([outward.outcome, inward.outcome]).toEqual(['wouldBlock', 'wouldBlock']);
    if (asOwner) return;
    expect(outward.conflicts).toMatchObject([{ resource: 'sql://crm/public.child', before: { id: 2, parent: 2, note: 'y' }, after: null, current: null }]);
    expect(inward.conflicts).toMatchObject([{ resource: 'sql://crm/public.parent', before: null, after: { id: 5, email: 'e', place: 5 }, current: { id: 5, email: 'e', place: 5 } }]);
  });

  it('shows every row, not only the first, within bounds', async () => {
    await stand.other.query(`INSERT INTO kept SELECT i, NULL FROM generate_series(1, 80) i`);
    const done = await stand.done('UPDATE kept SET parent = 1');
    const small = await stand.done(`UPDATE child SET note = 'ours'`);
    await stand.other.query(`UPDATE kept SET parent = 2; UPDATE child SET note = 'theirs'`);
    const told = await preview(done);
    expect([told.conflicts.length, told.truncated]).toEqual([50, true]);
    expect(await preview(small)).toMatchObject({ truncated: false, conflicts: [{ before: { note: 'x' }, after: { note: 'ours' }, current: { note: 'theirs' } }, { before: { note: 'y' } }] });
    const large = await stand.done(`UPDATE child SET note = 'ours'`);
    await stand.other.query(`UPDATE child SET note = repeat('x', 100000)`);
    expect(await holds(large)).toMatchObject({ outcome: 'wouldBlock', truncated: true, conflicts: [{ current: { note: 'x'.repeat(100_000) } }] });
  });

  it('goes by what would have been taken back before, also where one of that would be blocked', async () => {
    const steps = [await stand.done(`UPDATE child SET note = 'first'`), await stand.done(`UPDATE child SET note = 'second' WHERE id = 1`), await stand.done('DELETE FROM parent WHERE id = 1'), await stand.done(`INSERT INTO parent VALUES (9, 'a', 9)`)];
    const [one, two, three, four] = steps as [Done, Done, Done, Done];
    const outcomeOf = async (done: Done, first: readonly Done[]): Promise<string> => {
      const before = await everything();
      const { outcome } = await stand.adapter.previewUndo(done.call, done.before, done.after, first);
      expect(await everything()).toEqual(before);
      return outcome;
    };
    expect([await outcomeOf(one, []), await outcomeOf(one, [two]), await outcomeOf(one, [three, two]), await outcomeOf(one, [four, three, two])]).toEqual(['wouldBlock', 'wouldBlock', 'wouldBlock', 'wouldUndo']);
    expect([await outcomeOf(two, [four, three]), await outcomeOf(three, []), await outcomeOf(three, [four]), await outcomeOf(four, [])]).toEqual(['wouldUndo', 'wouldBlock', 'wouldUndo', 'wouldUndo']);
    await stand.other.query('UPDATE parent SET place = 90 WHERE id = 9');
    expect([await outcomeOf(three, [four]), await outcomeOf(four, [])]).toEqual(['wouldBlock', 'wouldBlock']);
    await stand.other.query('UPDATE parent SET place = 9 WHERE id = 9');
    for (const done of [four, three, two, one]) expect(await undo(done)).toMatchObject({ outcome: 'undone' });
  });

  it('is not to be had while somebody holds the row, and then it is', async () => {
    const done = await stand.done('UPDATE parent SET place = 10 WHERE id = 1');
    await stand.other.query('BEGIN; SELECT * FROM parent WHERE id = 1 FOR UPDATE');
    await expect(preview(done, 300)).rejects.toMatchObject({ retryable: true });
    await stand.other.query('ROLLBACK');
    expect(await holds(done)).toMatchObject({ outcome: 'wouldUndo' });
  });

  it('holds up nobody once it is made', async () => {
    const done = await stand.done('DELETE FROM parent WHERE id = 1');
    expect(await preview(done)).toMatchObject({ outcome: 'wouldUndo' });
    await stand.other.query(`SET lock_timeout = '1s'; BEGIN; LOCK TABLE parent, child, aifirst.effects, aifirst.images IN ACCESS EXCLUSIVE MODE; ROLLBACK`);
    expect(await holds(done)).toMatchObject({ outcome: 'wouldUndo' });
  });

  it('says that what an undo needs was forgotten, and has nothing to do where it only read', async () => {
    const done = await stand.done('DELETE FROM parent WHERE id = 1');
    await stand.adapter.forget(done.call, done.before);
    expect(await holds(done)).toMatchObject({ outcome: 'wouldBlock', conflicts: [{ resource: 'sql://crm', before: null, after: null, current: null }] });
    expect(await preview(await stand.done('SELECT * FROM parent', [], 'sql.query'))).toMatchObject({ outcome: 'nothingToDo' });
  });
});
