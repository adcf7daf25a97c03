import { Client } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { after, expectStatus, noop, stepOf, type AgentClient, type Step } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import { causalityFaults } from '../support/causality';
import { servicesOf } from '../support/havoc';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

/** A lease that nobody gave back lasts 10 s; one that starts at the same address needs not wait. */
const THERE_AGAIN_MS_MAX = 30_000;

describe('the service that has databases as targets', () => {
  const running = useStack({ env: { LOG_LEVEL: 'warn', SHARDS: '2' } });
  let postgres: TestPostgres;
  let db: Client;
  let agent: AgentClient;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const reached = await postgres.createDatabase('crm');
    db = new Client(reached);
    await db.connect();
    await db.query('CREATE TABLE public.customer (id int PRIMARY KEY, credit int NOT NULL); INSERT INTO public.customer SELECT n, 0 FROM generate_series(1, 6) n');
    await running.stack.database('crm', reached);
    const files = await running.stack.connection();
    agent = await running.stack.agent({ connection: files, connections: [files.name, 'crm'] });
  }, 120_000);
  afterAll(async () => { await db?.end(); await postgres?.stop(); });

  const raise = (id: string, customer: number, more: object = {}): Step =>
    ({ id, capability: 'sql.execute', input: { connection: 'crm', sql: 'UPDATE customer SET credit = credit + 1 WHERE id = $1', params: [customer] }, ...more });
  const credits = async (): Promise<string> => (await db.query(`SELECT string_agg(credit::text, ' ' ORDER BY id) AS all FROM public.customer`)).rows[0].all;
  const kill = (service: string): number => {
    const { pid } = servicesOf(running.stack.dataDir).find(({ name }) => name === service)!;
    process.kill(pid, 'SIGKILL');
    return pid;
  };
  const isThereAgain = (service: string, killed: number): Promise<unknown> =>
    until(`${service} is there again`, async () => servicesOf(running.stack.dataDir).some(({ name, pid }) => name === service && pid !== killed) && (await running.stack.http.call('GET', '/health/ready')).status === 200, THERE_AGAIN_MS_MAX);
  /** While it is held, whoever changes the customer's row waits. */
  async function holding(customer: number, work: (waits: () => Promise<void>) => Promise<void>): Promise<void> {
    await db.query('BEGIN');
    await db.query('SELECT 1 FROM public.customer WHERE id = $1 FOR UPDATE', [customer]);
    try {
      await work(async () => { await until('a statement waits for the row', async () => (await db.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rows.length > 0); });
    } finally {
      await db.query('ROLLBACK');
    }
  }

  it('does the SQL of workflows whose files another does, and each says in the log what it did', async () => {
    const done = await agent.run([raise('sql', 1), agent.fs('write', 'file', { path: 'a.txt', content: 'x' }, after('sql'))]);
    expectStatus(done, 'completed');
    const entries = await new AuditLog(running.stack.admin).settled([done.id]);
    const producers = (step: string): string[] => [...new Set(entries.filter(({ event }) => event.subject === done.id && event.data.step === step && event.producer.startsWith('adapter')).map(({ event }) => event.producer.split('/')[0]!))];
    expect([producers('sql'), producers('file')]).toEqual([['adapter-sql'], ['adapter-os']]);
    await running.stack.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'test' } });
    expectStatus(await agent.reaches(done.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    expect(await credits()).toBe('0 0 0 0 0 0');
  }, 60_000);

  it('killed while a statement runs, it finds out what came of it: the change stands once, or was taken back', async () => {
    let ids: string[] = [];
    let killed = 0;
    await holding(2, async waits => {
      ids = await Promise.all([agent.start([raise('a', 2, { timeoutMs: 60_000 })]), agent.start([raise('a', 3), raise('b', 2, { timeoutMs: 60_000, ...after('a') }), noop('c', { fail: 'clean' }, after('b'))])]);
      await waits();
      killed = kill('adapter-sql');
    });
    await isThereAgain('adapter-sql', killed);
    const [once, back] = await Promise.all(ids.map(id => agent.rest(id, 90_000)));
    expectStatus(once!, 'completed');
    expectStatus(back!, 'rolledBack');
    for (const step of ['a', 'b']) expect(stepOf(back!, step).undo).toEqual({ status: 'done', verified: true, reason: null });
    expect(await credits()).toBe('0 1 0 0 0 0');
    expect(await running.stack.admin.all('/v1/locks')).toEqual([]);
    const events = (await new AuditLog(running.stack.admin).settled(ids)).map(({ event }) => event).filter(({ subject }) => ids.includes(subject));
    expect(causalityFaults(events)).toEqual([]);
  }, 180_000);

  it('killed, it keeps nobody from files; what is SQL waits for it', async () => {
    const killed = kill('adapter-sql');
    const [files, sql] = await Promise.all([agent.run([agent.fs('write', 'a', { path: 'b.txt', content: 'x' })]), agent.start([raise('a', 4)])]);
    expectStatus(files, 'completed');
    await isThereAgain('adapter-sql', killed);
    expectStatus(await agent.rest(sql), 'completed');
    expect(await credits()).toBe('0 1 0 1 0 0');
  }, 120_000);

  it('lets nothing of what another service does change what it did: that one killed, an undo of SQL goes on', async () => {
    const { id } = await agent.run([raise('a', 5)]);
    const killed = kill('adapter-os');
    await running.stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'test' } });
    expectStatus(await agent.reaches(id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    await isThereAgain('adapter-os', killed);
    expect(await credits()).toBe('0 1 0 1 0 0');
  }, 120_000);
});
