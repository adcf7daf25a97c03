import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Image } from '@aifirst/execution';
import * as fc from 'fast-check';
import { foreignWrite, kept, openStand, RANDOM_ROWS, RANDOM_SCHEMA, randomChange, randomStatement, rowsOf, snapshotOf, type Done, type RandomStatement, type SqlStand } from './testing';

/** How many in all; the seed is new for a larger run, and printed by whoever fails. */
const SEQUENCES = Number(process.env['AIFIRST_SQL_SEQUENCES'] ?? 40);
const seed = process.env['AIFIRST_SQL_SEED'] === undefined ? (SEQUENCES > 40 ? {} : { seed: 20_240_521 }) : { seed: Number(process.env['AIFIRST_SQL_SEED']) };

let postgres: TestPostgres;
beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });

describe.each([['without triggers (session_replication_role)', false, 0.4], ['with triggers switched off by the owner', true, 0.3]])('random statements, undone %s', (way, asOwner, share) => {
  let stand: SqlStand;
  let runs = 0;
  const counts: Record<string, number> = Object.fromEntries(['sequences', 'sql.execute done', 'sql.execute refused by the database', 'sql.script done', 'sql.script refused by the database', 'undone', 'foreign writes found', 'foreign writes elsewhere'].map(name => [name, 0]));
  beforeAll(async () => {
    stand = await openStand(postgres, RANDOM_SCHEMA, { asOwner });
    expect(await stand.adapter.probeConnection(stand.connection)).toHaveProperty('limitations');
  });
  afterAll(async () => {
    await stand.close();
    if (SEQUENCES > 40) process.stderr.write(`${way}: ${JSON.stringify(counts)}\n`);
  });

  /** null: the database refused it. */
  async function attempt({ sql, params, capability }: RandomStatement): Promise<Done | null> {
    const call = stand.call(capability, sql, params);
    const before = kept(await stand.adapter.prepare(call));
    const result = await stand.adapter.execute(call, before);
    counts[result.outcome === 'succeeded' ? `${capability} done` : `${capability} refused by the database`]! += 1;
    if (result.outcome === 'succeeded') return { call, before, after: kept(result.after) as Image, output: result.output as never };
    expect(result).toMatchObject({ outcome: 'failed', error: { clean: true } });
    const { code, detail } = (result as { error: { code: string; detail: string } }).error;
    if (code !== 'SQL_ERROR' || !/\[(23...|27000)\]/.test(detail)) throw new Error(`${sql}: ${code} ${detail}`);
    return null;
  }
  /** Said beforehand, as it then is. */
  async function undo({ call, before, after }: Done) {
    const told = await stand.adapter.previewUndo(call, before, after);
    const result = await stand.adapter.undo(call, before, after);
    expect([call.input['sql'], told.outcome === 'wouldBlock']).toEqual([call.input['sql'], result.outcome === 'blocked']);
    if (result.outcome === 'blocked') expect(told.conflicts[0]).toMatchObject(result.conflict);
    return result;
  }
  /** Others move the data on, so that no two sequences start alike. */
  async function driftedBy(statements: readonly RandomStatement[], isAnew: boolean): Promise<void> {
    if (isAnew) await stand.other.query(RANDOM_ROWS);
    for (const { sql, params } of statements) {
      await stand.other.query(sql, params.map(param => (param !== null && typeof param === 'object' && !Array.isArray(param) ? JSON.stringify(param) : param))).catch(() => undefined);
    }
  }
  const property = (run: (...given: [RandomStatement[], RandomStatement[], number, number]) => Promise<void>) => fc.assert(
    fc.asyncProperty(fc.array(randomStatement, { maxLength: 2 }), fc.array(randomChange, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 10 }), run),
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
      counts['sequences']! += 1;
      counts['undone']! += done.length;
      // All of them beforehand, as a rollback shows them: what is taken back earlier stands in nobody's way.
      const last = done.toReversed();
      for (const [index, { call, before: was, after }] of last.entries()) expect([call.input['sql'], (await stand.adapter.previewUndo(call, was, after, last.slice(0, index))).outcome]).toEqual([call.input['sql'], 'wouldUndo']);
      for (const one of last) {
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
      counts['sequences']! += 1;
      const first = await rowsOf(stand.other);
      const done = await attempt(statement!);
      if (done === null) return;
      const second = await rowsOf(stand.other);
      const changed = [...new Set([...first.keys(), ...second.keys()])].filter(id => first.get(id) !== second.get(id));
      const others = [...second.keys()];
      const target = changed.length > 0 && at < 9 ? changed[which % changed.length]! : others[which % others.length]!;
      const write = foreignWrite(target, !second.has(target), which % 5 === 0);
      if (write !== null) await stand.other.query(write).catch(error => { if (!/^23/.test((error as { code?: string }).code ?? '')) throw error; });
      const third = await rowsOf(stand.other);
      const theirs = [...new Set([...second.keys(), ...third.keys()])].filter(id => second.get(id) !== third.get(id));
      const disturbed = await snapshotOf(stand.other);
      const result = await undo(done);
      const fourth = await rowsOf(stand.other);
      const said = [statement!.sql, write, result.outcome];
      expect([...said, ...theirs.map(id => [id, fourth.get(id)])]).toEqual([...said, ...theirs.map(id => [id, third.get(id)])]);
      const both = theirs.filter(id => first.get(id) !== second.get(id) && first.get(id) !== third.get(id));
      if (both.length > 0) { expect([...said, result.outcome]).toEqual([...said, 'blocked']); met++; }
      counts[both.length > 0 ? 'foreign writes found' : 'foreign writes elsewhere']! += 1;
      if (result.outcome === 'blocked') expect(await snapshotOf(stand.other)).toEqual(disturbed);
      else expect(result.outcome).toBe('undone');
    });
    if (SEQUENCES >= 60) expect(met).toBeGreaterThan(0);
  }, 3_600_000);
});
