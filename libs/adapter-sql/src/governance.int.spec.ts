import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { Client } from 'pg';
import { kept, openStand, snapshotOf, type SqlStand } from './testing';

const SCHEMA = `
  CREATE TABLE customer (id int PRIMARY KEY, name text);
  INSERT INTO customer VALUES (1, 'ana'), (2, 'bo');
  CREATE VIEW poor AS SELECT * FROM customer WHERE id > 1;`;

let postgres: TestPostgres;
let stand: SqlStand;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });
beforeEach(async () => { stand = await openStand(postgres, SCHEMA); });
afterEach(async () => { await stand.close(); });

const limitations = async (one = stand): Promise<readonly string[]> => {
  const probed = await one.adapter.probeConnection(one.connection);
  if ('problem' in probed) throw new Error(probed.problem);
  return probed.limitations;
};
async function executed(sql: string, capability = 'sql.execute') {
  const call = stand.call(capability, sql);
  return stand.adapter.execute(call, kept(await stand.adapter.prepare(call)));
}
const refusal = (code: string, detail: RegExp) => ({ outcome: 'failed', error: { code, clean: true, detail: expect.stringMatching(detail) } });

it('refuses to change a database that was never probed', async () => {
  expect(await executed('DELETE FROM customer')).toMatchObject(refusal('NOT_GOVERNED', /put the connection again/));
});

it('installs once, and again without a change', async () => {
  expect(await limitations()).toEqual([]);
  const before = await snapshotOf(stand.other);
  expect(await Promise.all([limitations(), limitations(), limitations()])).toEqual([[], [], []]);
  expect(await snapshotOf(stand.other)).toEqual(before);
});

it('tells of a user who is named like the schema, until it has another path', async () => {
  const user = postgres.connection.user;
  await stand.other.query(`ALTER ROLE ${user} IN DATABASE ${stand.other.database} RESET search_path`);
  const said = (await limitations()).find(line => line.includes('first on its path'));
  expect(said).toMatch(/ALTER ROLE aifirst IN DATABASE \S+ SET search_path = public/);
  // As such a user: its own statements are looked for in `aifirst`, an agent's and ours never.
  const namesake = new Client({ ...postgres.connection, database: stand.other.database! });
  await namesake.connect();
  await namesake.query('CREATE TABLE customer (id int PRIMARY KEY, name text); INSERT INTO customer VALUES (1, \'theirs\'); CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS $$ SELECT \'theirs\' $$');
  expect((await limitations()).join()).toContain('neither reached nor captured; move it elsewhere: `aifirst.customer`');
  const done = await stand.done(`UPDATE customer SET name = lower('UP') || name WHERE id = 1 RETURNING name`);
  expect(done.output.rows).toEqual([{ name: 'upana' }]);
  expect(await stand.adapter.undo(done.call, done.before, done.after)).toMatchObject({ outcome: 'undone' });
  expect((await namesake.query('SELECT name FROM customer UNION ALL SELECT name FROM public.customer WHERE id = 1')).rows).toEqual([{ name: 'theirs' }, { name: 'ana' }]);
  // Triggers act in its sessions as in anybody's.
  await namesake.query('DELETE FROM public.customer WHERE id = 2');
  await namesake.end();
  await stand.other.query(`DROP TABLE aifirst.customer; DROP FUNCTION aifirst.lower`);
  await stand.other.query(said!.slice(said!.indexOf('ALTER ROLE'), said!.indexOf(' avoids')));
  expect(await limitations()).toEqual([]);
});

it.each([['effects', 'CREATE TABLE aifirst.effects (name text)'], ['images', 'CREATE VIEW aifirst.images AS SELECT 1 AS effect, 2 AS relation, 3 AS old, 4 AS new']])('touches nothing where schema `aifirst` holds somebody else\'s `%s`', async (name, theirs) => {
  await stand.other.query(`CREATE SCHEMA aifirst; ${theirs}`);
  const before = await snapshotOf(stand.other);
  expect(await stand.adapter.probeConnection(stand.connection)).toEqual({ problem: expect.stringContaining(`a table \`${name}\` that is somebody else's`), pointer: '/config/url' });
  expect(await snapshotOf(stand.other)).toEqual(before);
  expect(await executed('DELETE FROM customer')).toMatchObject({ outcome: 'failed', error: { clean: true } });
});

it('names the database by its own identity, however it is reached', async () => {
  const [one, two] = await Promise.all([stand.adapter, stand.newAdapter()].map(adapter => adapter.probeConnection(stand.connection)));
  expect(one).toMatchObject({ lockBase: expect.stringMatching(/^sql:\/\/\d+\/\d+$/) });
  expect(two).toEqual(one);
});

it('tells how tables reach each other, as its catalogue has it', async () => {
  await stand.other.query(`
    CREATE TABLE invoice (id int PRIMARY KEY, customer int REFERENCES customer ON DELETE CASCADE, friend int REFERENCES customer ON DELETE SET NULL ON UPDATE CASCADE);
    CREATE TABLE "odd.name" (a int, b int, UNIQUE (b, a)); CREATE TABLE kept (x int, y int, FOREIGN KEY (x, y) REFERENCES "odd.name" (b, a));
    CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF part DEFAULT; CREATE TABLE of_part (id int REFERENCES part1 (id) ON DELETE CASCADE);
    CREATE VIEW poorer AS SELECT p.id FROM poor p JOIN invoice USING (id); CREATE RULE r AS ON INSERT TO kept DO ALSO INSERT INTO customer VALUES (NEW.x)`);
  const probed = await stand.adapter.probeConnection(stand.connection) as unknown as { reach: { within: unknown[]; keys: object[] } };
  expect(probed.reach.within).toEqual([['public.kept', 'public.customer'], ['public.part1', 'public.part'], ['public.poor', 'public.customer'], ['public.poorer', 'public.invoice'], ['public.poorer', 'public.poor']]);
  const key = (from: string, columns: string[], to: string, toColumns: string[], onDelete: string, onUpdate: string) => ({ from: `public.${from}`, columns, to: `public.${to}`, toColumns, onDelete, onUpdate });
  expect(probed.reach.keys).toHaveLength(5);
  expect(probed.reach.keys).toEqual(expect.arrayContaining([
    key('customer', ['id'], 'invoice', ['customer'], 'delete', 'nothing'), key('customer', ['id'], 'invoice', ['friend'], 'update', 'update'), key('odd%2Ename', ['b', 'a'], 'kept', ['x', 'y'], 'nothing', 'nothing'),
    key('part', ['id'], 'of_part', ['id'], 'delete', 'nothing'), key('part1', ['id'], 'of_part', ['id'], 'delete', 'nothing'),
  ]));
});

it('refuses to write a table made later, until it is probed again', async () => {
  await limitations();
  await stand.other.query('CREATE TABLE later (id int); INSERT INTO later VALUES (1)');
  await stand.other.query(`GRANT ALL ON later TO PUBLIC`);
  expect(await executed('DELETE FROM later')).toMatchObject(refusal('NOT_GOVERNED', /`public\.later`.*put the connection again/));
  expect((await stand.other.query('SELECT * FROM later')).rowCount).toBe(1);
  await limitations();
  expect(await executed('DELETE FROM later')).toMatchObject({ outcome: 'succeeded' });
});

it('goes along when a governed table becomes a partition, and when it ceases to be one', async () => {
  await stand.other.query(`CREATE TABLE part (id int, region int) PARTITION BY LIST (region); CREATE TABLE part1 (id int, region int); INSERT INTO part1 VALUES (1, 1)`);
  await limitations();
  await stand.other.query('ALTER TABLE part ATTACH PARTITION part1 FOR VALUES IN (1); CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2)');
  expect(await executed('UPDATE part SET id = 2')).toMatchObject(refusal('NOT_GOVERNED', /part1/));
  expect(await executed('INSERT INTO part VALUES (1, 2)')).toMatchObject({ outcome: 'succeeded' });
  expect(await limitations()).toEqual([]);
  const before = await snapshotOf(stand.other);
  const done = await stand.done('UPDATE part SET region = 3 - region');
  expect(await stand.adapter.undo(done.call, done.before, done.after)).toMatchObject({ outcome: 'undone' });
  expect(await snapshotOf(stand.other)).toEqual(before);
  await stand.other.query('ALTER TABLE part DETACH PARTITION part1');
  expect(await executed('UPDATE part1 SET id = 2')).toMatchObject(refusal('NOT_GOVERNED', /part1/));
  await limitations();
  expect(await executed('UPDATE part1 SET id = 2')).toMatchObject({ outcome: 'succeeded' });
});

it('refuses what a trigger would write where nothing is captured', async () => {
  await limitations();
  await stand.other.query(`CREATE TABLE hidden (id int); GRANT ALL ON hidden TO PUBLIC;
    CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN INSERT INTO hidden VALUES (1); END; RETURN NULL; END $$; CREATE TRIGGER leak AFTER UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION leak()`);
  expect(await executed(`UPDATE customer SET name = 'x'`)).toMatchObject(refusal('NOT_GOVERNED', /hidden/));
  expect((await stand.other.query(`SELECT 1 FROM customer WHERE name = 'x'`)).rowCount).toBe(0);
});

it('keeps schema `aifirst` out of an agent\'s reach, by name, by view, and by right', async () => {
  await limitations();
  for (const sql of ['SELECT * FROM aifirst.images', 'SELECT (SELECT step FROM aifirst.effects LIMIT 1) AS s']) {
    await expect(stand.adapter.prepare(stand.call('sql.query', sql))).rejects.toMatchObject({ code: 'INVALID_SQL' });
  }
  await stand.other.query('CREATE VIEW peep AS SELECT * FROM aifirst.effects; CREATE VIEW peep2 AS SELECT step FROM peep; GRANT SELECT ON peep2 TO PUBLIC');
  expect(await executed('SELECT * FROM peep2', 'sql.query')).toMatchObject(refusal('INVALID_SQL', /aifirst/));
  await stand.other.query(`CREATE FUNCTION spoof() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE aifirst.effects SET xid = NULL; RETURN NULL; END $$; CREATE TRIGGER spoof AFTER DELETE ON customer FOR EACH ROW EXECUTE FUNCTION spoof()`);
  expect(await executed('DELETE FROM customer')).toMatchObject(refusal('FORBIDDEN', /42501/));
  expect((await stand.other.query('SELECT * FROM customer')).rowCount).toBe(2);
});

it('refuses a function of the database that has the name of an allowed one', async () => {
  await limitations();
  await stand.other.query(`CREATE FUNCTION public.upper(customer) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT step FROM aifirst.effects LIMIT 1'`);
  expect(await executed('SELECT upper(c) AS u FROM customer c', 'sql.query')).toMatchObject(refusal('INVALID_SQL', /upper/));
  expect(await executed('SELECT c.upper AS u FROM customer c', 'sql.query')).toMatchObject(refusal('INVALID_SQL', /upper/));
});

it('reads nothing of the server and writes nothing in a query', async () => {
  await limitations();
  expect(await executed('SELECT * FROM poor', 'sql.query')).toMatchObject({ outcome: 'succeeded', output: { rows: [{ id: 2, name: 'bo' }], rowCount: 1 } });
  for (const sql of ['SELECT * FROM pg_authid', 'DELETE FROM customer', 'SELECT 1; SELECT 2', 'SELECT pg_sleep(1)', 'SELECT nextval(\'x\')']) {
    await expect(stand.adapter.prepare(stand.call('sql.query', sql))).rejects.toMatchObject({ code: 'INVALID_SQL' });
  }
});

it('says what a foreign table, row security, an unlogged table and a talkative trigger mean', async () => {
  await stand.other.query(`CREATE UNLOGGED TABLE quick (id serial PRIMARY KEY); CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('c', 'x'); RETURN NULL; END $$; CREATE TRIGGER tell AFTER INSERT ON customer FOR EACH ROW EXECUTE FUNCTION tell()`);
  expect(await limitations()).toEqual(expect.arrayContaining([expect.stringContaining('`public.guarded`'), expect.stringContaining('`public.quick`'), expect.stringContaining('`public.customer (tell)`'), expect.stringContaining('sequences')]));
});

it('leaves other people\'s transactions alone', async () => {
  await limitations();
  await stand.other.query(`UPDATE customer SET name = 'y'; TRUNCATE customer`);
  expect((await stand.other.query('SELECT * FROM aifirst.images')).rowCount).toBe(0);
});

it.each(['plain', 'given'])('says what an owner should run for a user without rights (%s), and works when that was run', async kind => {
  const user = `u${stand.other.database!}`;
  const agentRole = kind === 'given' ? `agents_${user}` : undefined;
  await stand.other.query(`CREATE ROLE ${user} LOGIN PASSWORD '${postgres.connection.password}'; GRANT SELECT, INSERT, UPDATE, DELETE ON customer TO ${user}`);
  if (agentRole !== undefined) await stand.other.query(`CREATE ROLE ${agentRole}; GRANT SELECT, UPDATE ON customer TO ${agentRole}`);
  const url = String(stand.connection.config['url']).replace(/\/\/[^@]+@/, `//${user}@`);
  const connection = { ...stand.connection, name: 'low', config: { url, ...(agentRole === undefined ? {} : { agentRole }) } };
  const low: SqlStand = { ...stand, connection };
  const said = (await limitations(low)).find(line => line.includes('should run'))!;
  expect(said).toContain('CREATE SCHEMA');
  const call = { ...stand.call('sql.execute', `UPDATE customer SET name = 'z' WHERE id = 1`), connection };
  expect(await stand.adapter.execute(call, kept(await stand.adapter.prepare(call)))).toMatchObject({ outcome: 'failed', error: { code: 'NOT_GOVERNED' } });
  await stand.other.query(said.slice(said.indexOf('\n') + 1));
  expect((await limitations(low)).filter(line => line.includes('should run'))).toEqual([]);
  const before = await snapshotOf(stand.other);
  const image = kept(await stand.adapter.prepare(call));
  const result = await stand.adapter.execute(call, image);
  expect(result).toMatchObject({ outcome: 'succeeded' });
  expect(await stand.adapter.undo(call, image, (result as { after: object }).after as never)).toEqual({ outcome: 'undone', verified: true, reason: null });
  expect(await snapshotOf(stand.other)).toEqual(before);
});

it('warns of a role for agents that could reach what undo relies on', async () => {
  await limitations();
  const connection = { ...stand.connection, name: 'strong', config: { ...stand.connection.config, agentRole: postgres.connection.user } };
  expect((await limitations({ ...stand, connection })).join()).toMatch(/may do more than a role for agents should/);
  const call = { ...stand.call('sql.execute', 'DELETE FROM customer'), connection };
  expect(await stand.adapter.execute(call, kept(await stand.adapter.prepare(call)))).toMatchObject(refusal('FORBIDDEN', /may do more than a role for agents should/));
});

it.each([
  ['postgres://u:hunter2@localhost/db', /SECRET_IN_CONFIG/, '/config/url'],
  ['postgres://u@localhost/db?password=hunter2', /SECRET_IN_CONFIG/, '/config/url'],
  ['mysql://u@localhost/db', /postgres:/, '/config/url'],
  ['postgres://localhost/db', /user and a database/, '/config/url'],
  ['postgres://u@127.0.0.1:1/db', /reached/, '/config/url'],
])('refuses %s', async (url, problem, pointer) => {
  const probed = await stand.adapter.probeConnection({ ...stand.connection, config: { url } });
  expect(probed).toEqual({ problem: expect.stringMatching(problem), pointer });
  expect(JSON.stringify(probed)).not.toContain('hunter2');
});

it('keeps its connections few and ends them', async () => {
  await limitations();
  await Promise.all(Array.from({ length: 20 }, (_, i) => stand.done('INSERT INTO customer VALUES ($1, $2)', [i + 10, 'n'])));
  const [row] = (await stand.other.query<{ count: number }>(`SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'aifirst' AND datname = current_database()`)).rows;
  expect(row!.count).toBeLessThanOrEqual(4);
  await stand.adapter.close();
  const watcher = new Client({ ...postgres.connection, database: stand.other.database! });
  await watcher.connect();
  const left = await watcher.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'aifirst' AND datname = current_database()`);
  await watcher.end();
  expect(left.rowCount).toBe(0);
});
