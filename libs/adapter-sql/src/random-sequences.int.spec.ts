import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Image } from '@aifirst/execution';
import * as fc from 'fast-check';
import { foreignWrites, kept, openStand, RANDOM_ROWS, RANDOM_SCHEMA, randomStatement, snapshotOf, type Done, type RandomStatement, type SqlStand } from './testing';

/** How many in all; the seed is new for a larger run, and printed by whoever fails. */
const SEQUENCES = Number(process.env['AIFIRST_SQL_SEQUENCES'] ?? 60);
const seed = process.env['AIFIRST_SQL_SEED'] === undefined ? (SEQUENCES > 60 ? {} : { seed: 20_240_521 }) : { seed: Number(process.env['AIFIRST_SQL_SEED']) };

let postgres: TestPostgres;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });

describe.each([['without triggers (session_replication_role)', false, 0.4], ['with triggers switched off by the owner', true, 0.3]])('random statements, undone %s', (_, asOwner, share) => {
  let stand: SqlStand;
  let runs = 0;
  beforeAll(async () => {
    stand = await openStand(postgres, RANDOM_SCHEMA, { asOwner });
    expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
  });
  afterAll(async () => { await stand.close(); });

  /** null: the database refused it. */
  async function attempt({ sql, params }: RandomStatement): Promise<Done | null> {
    const call = stand.call('sql.execute', sql, params);
    const before = kept(await stand.adapter.prepare(call));
    const result = await stand.adapter.execute(call, before);
    if (result.outcome === 'succeeded') return { call, before, after: kept(result.after) as Image, output: result.output as never };
    expect(result).toMatchObject({ outcome: 'failed', error: { clean: true } });
    const { code, detail } = (result as { error: { code: string; detail: string } }).error;
    if (code !== 'SQL_ERROR' || !/\[(23...|27000)\]/.test(detail)) throw new Error(`${sql}: ${code} ${detail}`);
    return null;
  }
  const undo = ({ call, before, after }: Done) => stand.adapter.undo(call, before, after);
  /** Others move the data on, so that no two sequences start alike. */
  async function driftedBy(statements: readonly RandomStatement[], isAnew: boolean): Promise<void> {
    if (isAnew) await stand.other.query(RANDOM_ROWS);
    for (const { sql, params } of statements) {
      await stand.other.query(sql, params.map(param => (param !== null && typeof param === 'object' && !Array.isArray(param) ? JSON.stringify(param) : param))).catch(() => undefined);
    }
  }
  const property = (run: (...given: [RandomStatement[], RandomStatement[], number, number]) => Promise<void>) => fc.assert(
    fc.asyncProperty(fc.array(randomStatement, { maxLength: 2 }), fc.array(randomStatement, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 10 }), run),
    { numRuns: Math.max(1, Math.round(SEQUENCES * share)), endOnFailure: true, ...seed },
  );

  it('are undone to identical tables and catalogue, and undone twice are undone once', async () => {
    await property(async (drift, statements, which) => {
      await driftedBy(drift, runs++ % 4 === 0 || which % 4 === 0);
      const before = await snapshotOf(stand.other);
      const done: Done[] = [];
      for (const statement of statements) {
        const found = await attempt(statement);
        if (found !== null) done.push(found);
      }
      for (const one of done.toReversed()) {
        expect([one.call.input['sql'], await undo(one)]).toEqual([one.call.input['sql'], { outcome: 'undone', verified: true, reason: null }]);
        expect(await undo(one)).toEqual({ outcome: 'undone', verified: true, reason: null });
      }
      expect(await snapshotOf(stand.other)).toEqual(before);
    });
  }, 3_600_000);

  it('are not undone over a row that somebody else wrote since, which stays', async () => {
    let met = 0;
    await property(async (drift, [statement], which, at) => {
      await driftedBy(drift, runs++ % 4 === 0 || which % 4 === 0);
      const rowsOf = async (): Promise<Map<string, string>> => {
        const all = foreignWrites.map(({ table }, i) => `SELECT '${i}/' || id AS id, string_agg(t::text, ';' ORDER BY t::text) AS row FROM ${table} t GROUP BY id`).join(' UNION ALL ');
        return new Map((await stand.other.query<{ id: string; row: string }>(all)).rows.map(({ id, row }) => [id, row]));
      };
      const first = await rowsOf();
      const done = await attempt(statement!);
      if (done === null) return;
      const second = await rowsOf();
      const changed = [...second].filter(([id, row]) => first.get(id) !== row).map(([id]) => id);
      const target = changed.length > 0 && at < 9 ? changed[which % changed.length]! : `${which % foreignWrites.length}/${at}`;
      const { table, where, set } = foreignWrites[Number(target.split('/')[0])]!;
      await stand.other.query(`UPDATE ${table} SET ${set} WHERE ${where(Number(target.split('/')[1]))}`);
      const theirs = (await rowsOf()).get(target);
      const disturbed = await snapshotOf(stand.other);
      const result = await undo(done);
      if (theirs !== second.get(target)) expect((await rowsOf()).get(target)).toEqual(theirs);
      if (theirs !== second.get(target) && changed.includes(target)) { expect([statement!.sql, result.outcome]).toEqual([statement!.sql, 'blocked']); met++; }
      if (result.outcome === 'blocked') expect(await snapshotOf(stand.other)).toEqual(disturbed);
      else expect(result.outcome).toBe('undone');
    });
    if (SEQUENCES >= 60) expect(met).toBeGreaterThan(0);
  }, 3_600_000);
});
