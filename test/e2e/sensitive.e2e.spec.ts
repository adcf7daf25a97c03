import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, ref, stepOf, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import { Stack } from '../support/stack';

/** Random letters: nothing but a leak brings them anywhere. */
const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString('hex')}`;
const KIB = 1024;

describe('what a schema marks as sensitive', () => {
  let stack: Stack;
  let agent: AgentClient;
  const [written, read, long, based, refused, failing, unknown, undone, planned, run] = ['written', 'read', 'long', 'based', 'refused', 'failing', 'unknown', 'undone', 'planned', 'run'].map(canary) as [string, string, string, string, string, string, string, string, string, string];
  const all = [written, read, long, based, refused, failing, unknown, undone, planned, run];
  const seen: string[] = [];
  let intent = '';
  let ended: string[];

  beforeAll(async () => {
    stack = await Stack.start({ env: { LOG_LEVEL: 'debug' } });
    agent = await stack.agent();
    writeFileSync(join(agent.root, 'old.txt'), read);
    const one = await agent.run([
      agent.fs('write', 'write', { path: 'a.txt', content: written }), agent.fs('read', 'read', { path: 'old.txt' }), agent.fs('write', 'copy', { path: 'b.txt', content: ref('read', '/content') }),
      agent.fs('append', 'append', { path: 'old.txt', content: written }, after('read')), agent.fs('write', 'long', { path: 'long.txt', content: `${long} `.repeat(60 * KIB / (long.length + 1)) }),
      agent.fs('write', 'based', { path: 'based.txt', encoding: 'base64', content: Buffer.from(based).toString('base64') }), agent.fs('read', 'again', { path: 'long.txt' }, after('long')),
    ]);
    expectStatus(one, 'completed');
    intent = one.intentId;
    // To the workflow's agent and the administrator it is shown.
    expect(stepOf(one, 'read').output.content).toBe(read);
    expect(stepOf(await stack.admin.must(200, 'GET', `/v1/workflows/${one.id}`), 'again').output.content).toContain(long);
    expect(readFileSync(join(agent.root, 'b.txt'), 'utf8')).toBe(read);
    expect(readFileSync(join(agent.root, 'based.txt'), 'utf8')).toBe(based);

    const back = await agent.run([agent.fs('write', 'w', { path: 'a.txt', content: undone }), agent.fs('append', 'x', { path: 'b.txt', content: undone }), noop('fail', { fail: 'clean' }, after('w', 'x'))]);
    expectStatus(back, 'rolledBack');
    // A plan shows what is there and what would be, to the same two; one that is run, one that never is, one that is stale.
    const plan = (content: string, path: string) => agent.must(200, 'POST', '/v1/plans', { body: { goal: 'test', steps: [agent.fs('write', 'w', { path, content })] } });
    writeFileSync(join(agent.root, 'planned.txt'), read);
    const made = await plan(planned, 'planned.txt');
    for (const client of [agent, stack.admin]) expect(stepOf(await client.must(200, 'GET', `/v1/plans/${made.planId}`), 'w').preview.changes[0].diff).toEqual(expect.stringMatching(new RegExp(`-${read}[^]*\\+${planned}`)));
    const { planId } = await plan(run, 'run.txt');
    expectStatus((await agent.post('/v1/intents', { planId }, { prefer: 'wait=30' })).body, 'completed');
    const stale = await agent.post('/v1/intents', { planId });
    expect(stale.status).toBe(409);
    seen.push(stale.bytes.toString());
    // What goes wrong with it says so without it.
    const answers = [
      await agent.submit([agent.fs('write', 'w', { path: 'c.txt', content: { [refused]: refused } })]), await agent.submit([agent.fs('write', 'w', { path: 'c.txt', content: [refused] })]),
      await agent.submit([agent.fs('write', 'w', { path: '../c.txt', content: refused })]), await agent.submit([agent.fs('write', 'w', { path: 'c.txt', content: refused, encoding: 'rot13' })]),
    ];
    for (const answer of answers) { expect(answer.status).toBe(422); seen.push(answer.bytes.toString().replaceAll(`/content/${refused}`, '')); }
    const bad = await agent.run([agent.fs('write', 'w', { path: 'd.txt', content: `%%%${failing}`, encoding: 'base64' })]).catch((error: Error) => error.message);
    const missing = await agent.run([agent.fs('append', 'w', { path: 'a.txt/not-a-folder', content: failing }), agent.fs('read', 'r', { path: 'none' }, after('w'))]);
    const named = await agent.run([agent.fs('read', 'r', { path: 'old.txt' }), agent.fs('write', 'w', { path: ref('r', '/content'), content: failing })]);
    const held = await agent.run([agent.fs('read', 'r', { path: 'old.txt' }), noop('n', { value: ref('r', '/content'), fail: 'unknown' }), agent.fs('write', 'w', { path: 'e.txt', content: unknown }, after('n'))]);
    seen.push(JSON.stringify([bad, missing.steps.map(({ error, statusReason, decision }: Record<string, unknown>) => ({ error, statusReason, decision })), named.statusReason, stepOf(named, 'w').error, stepOf(named, 'w').resources, held.statusReason]));
    ended = [one.id, back.id, missing.id, named.id];
    seen.push(JSON.stringify((await stack.admin.all('/v1/audit/entries')).filter(({ event }) => event.type === 'aifirst.intent.planned.v1')));
    seen.push(JSON.stringify(await stack.admin.all(`/v1/workflows/${one.id}/events`)), JSON.stringify(await stack.admin.all(`/v1/workflows/${named.id}/events`)));
  }, 120_000);
  afterAll(async () => { await stack?.stop(); });

  const leaks = (text: Buffer | string): string[] => {
    const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
    return all.filter(secret => formsOf(secret).some(form => bytes.includes(form)));
  };

  it('stands in no error, reason, fact or metric', async () => {
    seen.push(await stack.metrics(), JSON.stringify(await stack.admin.all('/v1/locks')), JSON.stringify(await stack.admin.all('/v1/dead-letters')));
    expect(seen.map((text, at) => [at, leaks(text)]).filter(([, found]) => (found as string[]).length > 0)).toEqual([]);
  });

  it('is shown in the intent to its agent alone', async () => {
    expect(JSON.stringify(await agent.must(200, 'GET', `/v1/intents/${intent}`))).toContain(written);
    expect((await (await stack.agent()).get(`/v1/intents/${intent}`)).status).toBe(404);
  });

  it('stands in no audit entry and not in the export', async () => {
    const entries = await new AuditLog(stack.admin).settled(ended);
    expect(entries.flatMap(entry => leaks(JSON.stringify(entry)).map(secret => `${secret} in entry ${entry.index}, ${entry.event.type}`))).toEqual([]);
    expect(leaks((await stack.admin.get('/v1/audit/export')).bytes)).toEqual([]);
  });

  it('stands in no file of the data folder or database, the write-ahead log included, in no topic, and was never logged', async () => {
    await stack.kill9();
    const { distribution } = stack;
    const elsewhere = join(stack.dataDir, 'postgres.path');
    const database = distribution !== null ? await distribution.databaseOnDisk() : existsSync(elsewhere) ? readFileSync(elsewhere, 'utf8').trim() : stack.dataDir;
    const brokerFolder = distribution?.brokerFolder ?? null;
    const topics = brokerFolder === null ? [] : filesIn(brokerFolder).filter(path => !PREALLOCATED.test(path));
    const files = [...new Set([...filesIn(stack.dataDir), ...filesIn(database), ...topics])];
    expect(files.some(path => /pg_wal\/[0-9A-F]{24}$/.test(path))).toBe(true);
    const workflow = Buffer.from(ended[0]!);
    const telling = new Set<string>();
    expect(files.flatMap(path => {
      const bytes = readFileSync(path);
      if (bytes.includes(workflow)) telling.add(path);
      return leaks(bytes).map(secret => `${secret} in ${path}`);
    })).toEqual([]);
    // It was looked where things are: what is not secret stands there, readable.
    expect([...telling].some(path => path.startsWith(database))).toBe(true);
    if (topics.length > 0) expect([...telling].filter(path => path.includes(`/${distribution!.topicPrefix}`) && path.endsWith('.log')).map(topicOf)).toEqual(expect.arrayContaining(['commands', 'events']));
    expect(leaks(stack.output)).toEqual([]);
    // The test can see: the target has it, as it should.
    expect(leaks(readFileSync(join(agent.root, 'a.txt')))).toEqual([written]);
  }, 120_000);
});

/** Offsets and times of a topic's records, no bytes of theirs, and 10 MiB each from the first record on. */
const PREALLOCATED = /\.(time)?index$/;
const topicOf = (path: string): string => /\.(commands|events)\.v1-\d+\//.exec(path)?.[1] ?? path;

/** As it is, and as it would look within base64, hexadecimal or UTF-16. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].map(shift => Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').slice(shift === 0 ? 0 : 4, -4));
  return [bytes, ...shifted.map(text => Buffer.from(text)), Buffer.from(bytes.toString('hex')), Buffer.from(secret, 'utf16le')];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)).filter(path => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
