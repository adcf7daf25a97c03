import { randomUUID } from 'node:crypto';
import { Client, type ClientConfig } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { setCrashHook } from '@aifirst/kernel';
import { AUDIT_SCHEMA, AuditStand, migrateAudit, TEST_KEY } from './testing/audit-stand';
import { aFact, FACTS_PER_WORKFLOW, workflowFacts } from './testing/facts';
import { NoteSigner } from './note-signer';
import { verifyExport } from './verify';
import { checkConsistency, checkInclusion } from './verify/merkle-proofs';
import { parseCheckpoint, parseVkey, signerOf } from './verify/signed-note';

let postgres: TestPostgres;
let connection: ClientConfig;
let stand: AuditStand;
let databases = 0;
const vkey = (tenant = 'default') => new NoteSigner(TEST_KEY).vkey(`test/${tenant}`);
const numbers = () => ({ gateway: 0, orchestrator: 0, policy: 0, adapter: 0 });
const base64 = (text: string) => Buffer.from(text, 'base64');

beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });
beforeEach(async () => {
  connection = await migrateAudit(await postgres.createDatabase(`audit${++databases}`));
  stand = await new AuditStand(connection).start();
});
afterEach(async () => {
  setCrashHook(undefined);
  await stand.stop();
});

async function withClient<T>(work: (client: Client) => Promise<T>, config: ClientConfig = connection): Promise<T> {
  const client = new Client({ ...config, options: `-c search_path=${AUDIT_SCHEMA} -c aifirst.tenant=*` });
  await client.connect();
  try { return await work(client); } finally { await client.end(); }
}
const admin = (): ClientConfig => ({ ...postgres.connection, database: `audit${databases}` });

async function newest(tenant = 'default') {
  const found = parseCheckpoint((await stand.ask('checkpoint', { tenant }))!.note)!;
  expect(signerOf(found, [parseVkey(vkey(tenant))!])).not.toBeNull();
  return found;
}

describe('the audit service', () => {
  it('folds every fact of a workflow into an export that verifies', async () => {
    const from = numbers();
    await stand.say(...workflowFacts(randomUUID(), from), ...workflowFacts(randomUUID(), from));
    await stand.settled();
    const bytes = await stand.export();
    const verification = verifyExport(bytes, { vkey: vkey() });
    expect(verification).toMatchObject({ ok: true, firstBadIndex: null, problems: [] });
    expect(verification.summary).toMatchObject({ origin: 'test/default', first: 0, entries: 2 * FACTS_PER_WORKFLOW, size: 2 * FACTS_PER_WORKFLOW, keyPinned: true, outcomes: 6, causesBefore: 0, causesPending: 0 });
    expect(verification.summary.producers).toEqual({
      'gateway/0': { first: 1, last: from.gateway }, 'orchestrator/0': { first: 1, last: from.orchestrator }, 'policy/0': { first: 1, last: from.policy }, 'adapter-os/0': { first: 1, last: from.adapter },
    });
    expect(bytes.toString()).not.toMatch(/"(mac|lease|undoLease|token)":|\$sealed|c2VjcmV0/);
    expect(stand.service.lag()).toBe(0);
    expect(await stand.ask('foldedUpTo', {})).toEqual({ producers: { 'gateway/0': 2, 'orchestrator/0': 22, 'policy/0': 2, 'adapter-os/0': 12 }, lag: 0 });
  });

  it('shows entries, tiles and proofs that fit its checkpoint', async () => {
    await stand.say(...Array.from({ length: 700 }, (_, i) => aFact({ sequence: i + 1, data: { i } })));
    await stand.settled();
    const { size, root } = await newest();
    expect(size).toBe(700);
    for (const index of [0, 1, 255, 256, 511, 512, 699]) {
      const { leafHash, event } = (await stand.ask('entry', { tenant: 'default', index }))!;
      expect(event).toMatchObject({ sequence: index + 1, data: { i: index } });
      const proof = await stand.ask('inclusionProof', { tenant: 'default', index });
      expect(proof).toMatchObject({ index, size: 700 });
      expect(checkInclusion(index, size, base64(leafHash), proof.hashes.map(base64), root)).toBe(true);
      const earlier = await stand.ask('inclusionProof', { tenant: 'default', index, size: index + 1 });
      expect(earlier.size).toBe(index + 1);
    }
    const tile = await stand.ask('tile', { tenant: 'default', level: 0, index: 1, width: 256 });
    const entry = await stand.ask('entry', { tenant: 'default', index: 300 });
    expect(base64(tile!.bytes).subarray(44 * 32, 45 * 32).toString('base64')).toBe(entry!.leafHash);
    const partial = await stand.ask('tile', { tenant: 'default', level: 1, index: 0, width: 2 });
    expect(base64(partial!.bytes)).toHaveLength(64);
    const bundle = base64((await stand.ask('tile', { tenant: 'default', level: 'entries', index: 2, width: 188 }))!.bytes);
    expect(JSON.parse(bundle.subarray(2, 2 + bundle.readUInt16BE(0)).toString())).toMatchObject({ sequence: 513 });
    for (const missing of [{ level: 0, index: 2, width: 256 }, { level: 1, index: 0, width: 3 }, { level: 2, index: 0, width: 1 }, { level: 'entries' as const, index: 3, width: 1 }, { level: 0, index: 0, width: 0 }]) {
      expect(await stand.ask('tile', { tenant: 'default', ...missing })).toBeNull();
    }
    await expect(stand.ask('inclusionProof', { tenant: 'default', index: 700 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(stand.ask('consistencyProof', { tenant: 'default', from: 1, to: 701 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await stand.ask('entry', { tenant: 'default', index: 700 })).toBeNull();
    expect(await stand.ask('keys', { tenant: 'default' })).toEqual({ items: [{ vkey: vkey(), from: expect.any(String), to: null }] });
  });

  it('proves that a later checkpoint goes on from an earlier one', async () => {
    await stand.say(...Array.from({ length: 300 }, (_, i) => aFact({ sequence: i + 1 })));
    await stand.settled();
    const before = await newest();
    await stand.say(...Array.from({ length: 500 }, (_, i) => aFact({ sequence: i + 301 })));
    await stand.settled();
    const after = await newest();
    const { hashes } = await stand.ask('consistencyProof', { tenant: 'default', from: before.size, to: after.size });
    expect(checkConsistency(before.size, after.size, hashes.map(base64), before.root, after.root)).toBe(true);
  });

  it('keeps each tenant\'s facts in its own log, and says what the numbers between are', async () => {
    await stand.say(...['a', 'b', 'a', 'system', 'b', 'a'].map((tenant, i) => aFact({ sequence: i + 1, tenant })));
    await stand.settled();
    const events = async (tenant: string) => (await stand.ask('entries', { tenant, limit: 10 })).items.map(({ index, event }) => [index, event.sequence, (event as { priorsequence?: number }).priorsequence]);
    expect(await events('a')).toEqual([[0, 1, undefined], [1, 3, 1], [2, 6, 3]]);
    expect(await events('b')).toEqual([[0, 2, 0], [1, 5, 2]]);
    expect(await events('system')).toEqual([[0, 4, 0]]);
    expect(await events('c')).toEqual([]);
    for (const tenant of ['a', 'b', 'system']) expect(verifyExport(await stand.export(tenant), { vkey: vkey(tenant) })).toMatchObject({ ok: true });
    expect(verifyExport(await stand.export('a'), { vkey: vkey('b') })).toMatchObject({ ok: false });
    await withClient(async client => {
      await client.query(`SET aifirst.tenant = 'a'`);
      for (const table of ['bundle', 'tile', 'checkpoint', 'log_name']) expect((await client.query(`SELECT DISTINCT tenant FROM ${table}`)).rows.filter(({ tenant }) => tenant !== 'a')).toEqual([]);
      expect((await client.query(`SELECT count(*)::int AS n FROM bundle`)).rows).toEqual([{ n: expect.any(Number) }]);
      await expect(client.query(`INSERT INTO log_name VALUES ('b2')`)).rejects.toThrow(/row-level security/);
      await client.query(`RESET aifirst.tenant`);
      await client.query(`SET aifirst.tenant = ''`);
      expect((await client.query(`SELECT * FROM bundle`)).rows).toEqual([]);
    });
  });

  it('lists entries by agent, workflow, type, resource and time, page by page', async () => {
    const from = numbers();
    const workflows = [randomUUID(), randomUUID(), randomUUID()];
    for (const [i, workflow] of workflows.entries()) await stand.say(...workflowFacts(workflow, from, { agent: `agent-${i}` }));
    await stand.settled();
    const all = async (filter: object, limit = 4) => {
      const found: number[] = [];
      for (let next: number | null = 0; next !== null;) {
        const page: { items: readonly { index: number }[]; next: number | null } = await stand.ask('entries', { tenant: 'default', from: next, limit, ...filter });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items.map(({ index }) => index));
        next = page.next;
      }
      expect(new Set(found).size).toBe(found.length);
      return found.length;
    };
    expect(await all({})).toBe(3 * FACTS_PER_WORKFLOW);
    expect(await all({ workflow: workflows[1]! })).toBe(FACTS_PER_WORKFLOW);
    expect(await all({ agent: 'agent-2' })).toBe(12);
    expect(await all({ type: 'aifirst.workflow.step-started.v1' })).toBe(9);
    expect(await all({ type: 'aifirst.workflow.step-started.v1', workflow: workflows[0]! })).toBe(3);
    expect(await all({ resource: 'file://docs/b.txt' })).toBe(3);
    expect(await all({ workflow: randomUUID() })).toBe(0);
    const times = (await stand.ask('entries', { tenant: 'default', limit: 100 })).items.map(({ event }) => event.time).sort();
    const middle = times[27]!;
    expect(await all({ fromTime: middle })).toBe(times.filter(time => time >= middle).length);
    expect(await all({ toTime: middle })).toBe(times.filter(time => time < middle).length);
    expect(await all({ fromTime: '2020-01-01T00:00:00.000Z', toTime: '2021-01-01T00:00:00.000Z' })).toBe(0);
  });

  it('exports a part by time that verifies by itself', async () => {
    const from = numbers();
    for (let i = 0; i < 30; i++) await stand.say(...workflowFacts(randomUUID(), from));
    await stand.settled();
    for (let i = 0; i < 3; i++) await stand.say(...workflowFacts(randomUUID(), from));
    await stand.settled();
    const { items } = await stand.ask('entries', { tenant: 'default', limit: 1_000 });
    const times = items.map(({ event }) => event.time).sort();
    for (const span of [{ from: times[100]! }, { to: times[300]! }, { from: times[200]!, to: times[400]! }, { from: '2030-01-01T00:00:00.000Z' }]) {
      const { ok, problems, summary } = verifyExport(await stand.export('default', span), { vkey: vkey() });
      expect({ ok, problems }).toEqual({ ok: true, problems: [] });
      expect(summary.size).toBe(33 * FACTS_PER_WORKFLOW);
      const inside = items.filter(({ event }) => (span.from === undefined || event.time >= span.from) && ((span as { to?: string }).to === undefined || event.time < (span as { to: string }).to));
      expect(summary.entries).toBeGreaterThanOrEqual(inside.length);
    }
  });
});

describe('what can go wrong on the way to the log', () => {
  it('folds a repeated fact once', async () => {
    await stand.say(aFact({ sequence: 1 }), aFact({ sequence: 2 }), aFact({ sequence: 1 }), aFact({ sequence: 2 }), aFact({ sequence: 3 }));
    await stand.settled();
    expect((await newest()).size).toBe(3);
    expect(stand.gaps).toEqual([]);
  });

  it('signs in the end what was stored while a signature was under way, though nothing comes after it', async () => {
    await stand.say(aFact({ sequence: 1 }));
    await stand.settled();
    await withClient(async client => {
      // Why: the signature waits for this table, what is folded goes into others.
      await client.query('BEGIN; LOCK TABLE checkpoint IN EXCLUSIVE MODE');
      await stand.say(aFact({ sequence: 2 }));
      await stand.service.waitFolded({ 'gateway/0': 2 });
      while ((await client.query(`SELECT FROM pg_locks WHERE NOT granted`)).rowCount === 0) { /* asks again */ }
      await stand.say(aFact({ sequence: 3 }));
      await stand.service.waitFolded({ 'gateway/0': 3 });
      await client.query('ROLLBACK');
    }, admin());
    for (let size = 0; size < 3; ({ size } = await newest())) await new Promise(resolve => setTimeout(resolve, 20));
  });

  it('asks the producer for what is missing, and folds nothing of it before', async () => {
    const feed = stand.feed('gateway/0');
    await stand.say(aFact({ sequence: 1 }));
    // A topic that nobody told us of.
    feed.append([aFact({ sequence: 2, topic: 'aifirst.new.thing.events.v1' })], [aFact({ sequence: 3 })]);
    await stand.say(aFact({ producer: 'policy/0', sequence: 1 }));
    await stand.settled();
    expect(stand.gaps).toEqual(['gateway/0 2-2']);
    const { items } = await stand.ask('entries', { tenant: 'default', limit: 10 });
    expect(items.filter(({ event }) => event.producer === 'gateway/0').map(({ event }) => event.sequence)).toEqual([1, 2, 3]);
    expect(verifyExport(await stand.export())).toMatchObject({ ok: true });
  });

  it('shows a number that is nowhere as missing, while others go on', async () => {
    await stand.say(aFact({ sequence: 1 }), aFact({ sequence: 3 }), aFact({ sequence: 4 }), aFact({ producer: 'policy/0', sequence: 1 }));
    await stand.service.waitFolded({ 'gateway/0': 1, 'policy/0': 1 });
    expect(stand.service.gaps()).toEqual([{ producer: 'gateway/0', from: 2, to: 3 }]);
    expect(stand.service.lag()).toBeGreaterThan(0);
    await stand.service.settle();
    expect((await newest()).size).toBe(2);
    await stand.stop();
    stand.feed('gateway/0').rows.splice(1, 0, { ...stand.feed('gateway/0').rows[0]!, messages: [aFact({ sequence: 2 })] });
    stand.feed('gateway/0').rows.forEach((row, i) => { (row as { position: number }).position = i + 1; });
    await stand.start();
    await stand.settled();
    expect((await newest()).size).toBe(5);
    expect(stand.service.gaps()).toEqual([]);
  });

  it('parks what has no number, and goes on', async () => {
    const bad = aFact({ sequence: 1, producer: 'odd/0', subject: 'odd' });
    delete (bad.event as { sequence?: number }).sequence;
    await stand.say(bad, aFact({ sequence: 1 }));
    await stand.service.waitFolded({ 'gateway/0': 1 });
    expect((await stand.deadLetters.list({ tenant: null, limit: 10 })).map(({ code }) => code)).toEqual(['MALFORMED_MESSAGE']);
  });

  it('goes on after a restart, with nothing lost and nothing twice', async () => {
    const from = numbers();
    for (let round = 0; round < 5; round++) {
      await stand.say(...Array.from({ length: 20 }, () => workflowFacts(randomUUID(), from)).flat());
      if (round % 2 === 0) await stand.settled();
      await stand.stop();
      await stand.start();
    }
    await stand.settled();
    expect(verifyExport(await stand.export(), { vkey: vkey() })).toMatchObject({ ok: true, summary: { entries: 100 * FACTS_PER_WORKFLOW, causesPending: 0 } });
  });

  it.each(['audit.bundle.before', 'audit.bundle.after'] as const)('loses and doubles nothing when it is cut off at %s', async point => {
    const from = numbers();
    await stand.say(...workflowFacts(randomUUID(), from));
    await stand.settled();
    let passes = 0;
    setCrashHook(name => { if (name === point && ++passes === 2) throw new Error('killed'); });
    for (let i = 0; i < 10; i++) {
      await stand.say(...workflowFacts(randomUUID(), from));
      await new Promise(resolve => setTimeout(resolve, 15));
    }
    await expect(stand.service.waitFolded({ 'orchestrator/0': from.orchestrator })).rejects.toThrow('killed');
    expect(() => stand.service.ready()).toThrow('killed');
    setCrashHook(undefined);
    await stand.stop();
    await stand.start();
    await stand.settled();
    expect(verifyExport(await stand.export(), { vkey: vkey() })).toMatchObject({ ok: true, summary: { entries: 11 * FACTS_PER_WORKFLOW } });
  });

  it('goes on when its connections are cut, again and again', async () => {
    const from = numbers();
    for (let i = 0; i < 12; i++) {
      await stand.say(...workflowFacts(randomUUID(), from));
      await withClient(client => client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${AUDIT_SCHEMA}' AND datname = current_database()`), admin());
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    await stand.service.waitFolded({ 'orchestrator/0': from.orchestrator });
    for (let tries = 0; ; tries++) try { await stand.settled(); break; } catch (error) { if (tries > 5) throw error; }
    expect(verifyExport(await stand.export(), { vkey: vkey() })).toMatchObject({ ok: true, summary: { entries: 12 * FACTS_PER_WORKFLOW } });
  });

  it('folds again what a crash of the database lost', async () => {
    const from = numbers();
    await stand.say(...workflowFacts(randomUUID(), from));
    await stand.settled();
    const { size } = await newest();
    await stand.say(...workflowFacts(randomUUID(), from));
    await stand.service.waitFolded({ 'orchestrator/0': from.orchestrator, 'adapter-os/0': from.adapter });
    // What a crash does to a commit that was not flushed: it has never been.
    await withClient(async client => {
      await client.query('SET session_replication_role = replica');
      const { rows: [last] } = await client.query(`DELETE FROM bundle WHERE first >= $1 RETURNING first`, [size]);
      expect(last).toBeDefined();
      await client.query(`DELETE FROM checkpoint WHERE size > $1`, [size]);
      const { rows: [kept] } = await client.query(`SELECT producers FROM bundle ORDER BY first DESC LIMIT 1`);
      const producers = JSON.parse(kept.producers) as Record<string, number>;
      await client.query(`UPDATE fold SET revision = revision - 1, producers = $1, positions = $2`, [JSON.stringify(producers), JSON.stringify(producers)]);
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${AUDIT_SCHEMA}' AND datname = current_database()`);
    }, admin());
    await stand.say(...workflowFacts(randomUUID(), from));
    await stand.service.waitFolded({ 'orchestrator/0': from.orchestrator, 'adapter-os/0': from.adapter });
    for (let tries = 0; ; tries++) try { await stand.settled(); break; } catch (error) { if (tries > 5) throw error; }
    expect(stand.defects).toEqual([]);
    expect(verifyExport(await stand.export(), { vkey: vkey() })).toMatchObject({ ok: true, summary: { entries: 3 * FACTS_PER_WORKFLOW } });
  });

  it('ends in time when the database is gone', async () => {
    const other = await startTestPostgres();
    const lost = await new AuditStand(await migrateAudit(other.connection)).start();
    await lost.say(aFact({ sequence: 1 }));
    await lost.settled();
    await other.stop();
    await lost.say(aFact({ sequence: 2 }));
    const began = performance.now();
    await lost.stop();
    expect(performance.now() - began).toBeLessThan(7_000);
    expect(lost.ended).toBeNull();
  });

  it('stops when somebody else folds', async () => {
    await stand.say(aFact({ sequence: 1 }));
    await stand.settled();
    const other = new AuditStand(connection);
    for (const [producer, feed] of stand.feeds) other.feeds.set(producer, feed);
    await other.start();
    await stand.say(aFact({ sequence: 2 }));
    await expect(stand.service.waitFolded({ 'gateway/0': 2 })).rejects.toMatchObject({ code: 'FENCED' });
    await other.settled();
    expect(verifyExport(await other.export())).toMatchObject({ ok: true, summary: { entries: 2 } });
    await other.stop();
  });

  it('says when a former key was used, and whose checkpoints it signed still count', async () => {
    await stand.say(aFact({ sequence: 1 }));
    await stand.settled();
    await stand.stop();
    const successor = Buffer.alloc(32, 9);
    const rotated = new AuditStand(connection, { key: successor });
    for (const [producer, feed] of stand.feeds) rotated.feeds.set(producer, feed);
    stand = await rotated.start();
    await stand.say(aFact({ sequence: 2 }));
    await stand.settled();
    const next = new NoteSigner(successor).vkey('test/default');
    expect(await stand.ask('keys', { tenant: 'default' })).toEqual({ items: [{ vkey: vkey(), from: expect.any(String), to: expect.any(String) }, { vkey: next, from: expect.any(String), to: null }] });
    expect(verifyExport(await stand.export(), { vkey: next })).toMatchObject({ ok: true, summary: { checkpoints: 2 } });
    expect(verifyExport(await stand.export(), { vkey: vkey() })).toMatchObject({ ok: false, problems: expect.arrayContaining([expect.objectContaining({ code: 'SIGNATURE' })]) });
  });
});

describe('the rate of folding', () => {
  it('is thousands of entries in a second of CPU, signing included', async () => {
    const from = numbers();
    const messages = Array.from({ length: 300 }, () => workflowFacts(randomUUID(), from)).flat();
    const before = process.cpuUsage();
    await stand.say(...messages);
    await stand.settled();
    const { user, system } = process.cpuUsage(before);
    const perSecond = messages.length / ((user + system) / 1e6);
    console.log(`folded ${Math.round(perSecond)} entries per second of CPU, the bus of the test included`);
    expect(perSecond).toBeGreaterThan(1_000);
  });
});

describe('what is stored', () => {
  it('is only ever added to, by the service and by its owner', async () => {
    await stand.say(...Array.from({ length: 260 }, (_, i) => aFact({ sequence: i + 1 })));
    await stand.settled();
    for (const table of ['bundle', 'tile', 'checkpoint', 'log_name']) {
      for (const statement of [`UPDATE ${table} SET tenant = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
        await withClient(client => expect(client.query(statement)).rejects.toThrow(/permission denied|must be owner/));
        await withClient(client => expect(client.query(statement)).rejects.toThrow('only ever added to'), admin());
      }
    }
    await withClient(client => expect(client.query('DELETE FROM fold')).rejects.toThrow(/permission denied/));
  });

  it('is signed no more once a bit of it has changed', async () => {
    await stand.say(aFact({ sequence: 1 }), aFact({ sequence: 2 }));
    await stand.settled();
    const before = await newest();
    await stand.stop();
    await stand.start();
    await stand.say(aFact({ sequence: 3 }));
    await stand.service.waitFolded({ 'gateway/0': 3 });
    await withClient(async client => {
      await client.query('SET session_replication_role = replica');
      await client.query(`UPDATE bundle SET data = set_byte(data, 20, get_byte(data, 20) # 1) WHERE first = (SELECT max(first) FROM bundle)`);
    }, admin());
    await stand.service.settle();
    // Why a second: it may have been signed before the bit changed.
    await stand.say(aFact({ sequence: 4 }));
    await stand.service.waitFolded({ 'gateway/0': 4 });
    await stand.service.settle();
    const after = await newest();
    if (after.size === before.size) expect(stand.defects).toEqual([expect.stringContaining('not what was folded')]);
    await expect(stand.ask('entry', { tenant: 'default', index: 2 })).rejects.toMatchObject({ code: 'AUDIT_LOG_DAMAGED' });
    await stand.stop();
    await stand.start();
    await stand.say(aFact({ sequence: 5 }));
    await stand.service.waitFolded({ 'gateway/0': 5 });
    await stand.service.settle();
    expect(stand.defects.length).toBeGreaterThan(0);
    expect((await newest()).size).toBe(after.size);
  });
});
