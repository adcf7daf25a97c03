import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { EmbeddedMessageBus } from '@aifirst/bus';
import { MemoryDeadLetters } from '@aifirst/bus/testing';
import { stepCommandsTopic, type CloudEvent } from '@aifirst/contracts';
import { CRASH_POINTS, setCrashHook } from '@aifirst/kernel';
import { BASE_MIGRATIONS, feedOf, migrate, PostgresStore, type Log } from '@aifirst/store';
import { JournalStand } from './testing';

const SCHEMA = 'aifirst_adapter_os';
let postgres: TestPostgres;
let store: PostgresStore;
let stand: JournalStand;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const connection = (await migrate({ admin: postgres.connection, services: [{ schema: SCHEMA, role: SCHEMA, migrations: BASE_MIGRATIONS }] })).get(SCHEMA)!;
  store = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'adapter-os' });
  stand = await new JournalStand({}, store).start();
});
afterAll(async () => {
  setCrashHook(undefined);
  await stand?.journal.stop(0);
  await store?.close();
  await postgres?.stop();
});

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = Date.now() + 20_000; !(await condition());) {
    if (Date.now() > endMs) throw new Error(`not in time: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
const idle = (): Promise<void> => until(() => stand.journal.depth().steps === 0, 'the end of all steps');
const numbered = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ workflow: from + i, input: { connection: 'docs', key: `k${from + i}`, value: 1 } }));
const effectsOf = (workflows: readonly { readonly workflow: number }[]): number[] => {
  const ids = new Set(workflows.map(({ workflow }) => workflow.toString(16).padStart(12, '0')));
  return Object.entries(stand.effects()).filter(([key]) => ids.has(key.slice(24, 36))).map(([, times]) => times);
};

describe('a step journal on PostgreSQL', () => {
  it('does a thousand commands once each in a few commits, undoes them, and answers repeats after a restart', async () => {
    const steps = numbered(1_000, 1_000);
    const commands = steps.map(options => stand.execute(options));
    const before = stand.commits.length;
    for (const half of [commands.slice(0, 500), commands.slice(500)]) await stand.journal.handle(stand.batch(...half));
    await idle();
    expect(stand.commits.length - before).toBeLessThan(20);

    await stand.start();
    await stand.journal.handle(stand.batch(...commands.slice(0, 500)));
    await idle();
    expect(effectsOf(steps)).toEqual(Array(1_000).fill(1));

    await stand.journal.handle(stand.batch(...steps.slice(0, 500).map(options => stand.undo(options))));
    await idle();
    await until(async () => (await stand.reports()).length === 2_000, 'all reports');
    const reports = await stand.reports();
    expect(reports.slice(1_500).every(report => report.direction === 'undo' && report.outcome === 'succeeded' && report.verified === true)).toBe(true);
    expect(stand.adapter.target.values.size).toBe(500);
  });

  it.each(CRASH_POINTS.filter(point => point.startsWith('adapter.')))('killed at %s does each step of a batch once or not at all, and says which', async point => {
    const steps = numbered(10_000 + CRASH_POINTS.indexOf(point) * 100, 20);
    const commands: CloudEvent[] = steps.map(options => stand.execute(options));
    let isKilled = false;
    setCrashHook(name => { if (isKilled || name === point) { isKilled = true; throw new Error('killed'); } });
    await stand.journal.handle(stand.batch(...commands));
    if (point.includes('undo')) {
      await idle();
      await stand.journal.handle(stand.batch(...steps.map(options => stand.undo(options))));
    }
    await until(() => isKilled, 'the kill');
    setCrashHook(undefined);
    await stand.start();
    await stand.journal.handle(stand.batch(...commands));
    await idle();
    await stand.journal.handle(stand.batch(...steps.map(options => stand.undo(options))));
    await idle();
    expect(effectsOf(steps).every(times => times === 1)).toBe(true);
    for (const { input } of steps) expect(stand.adapter.target.values.has(input.key)).toBe(false);
    expect(stand.journal.depth()).toMatchObject({ steps: 0, open: 0 });
  });

  it('goes on from its positions on the bus, and a slow act holds up nothing', async () => {
    const sender: Log = await store.open({ log: 'sender', shard: 0, owner: 'test', takeOver: true });
    const send = async (events: readonly CloudEvent[]): Promise<void> => {
      await sender.commit({
        appends: events.map(({ id, type, time, subject, tenant, data }) => ({
          tenant, stream: subject, version: 1, messages: [{ topic: stepCommandsTopic('adapter-os'), key: subject, id, type, time, subject, tenant, data }],
        })),
      });
    };
    let handled = 0;
    const subscribed = async (): Promise<EmbeddedMessageBus> => {
      const bus = new EmbeddedMessageBus({ deadLetters: () => new MemoryDeadLetters(), clock: stand.clock });
      await bus.attach(feedOf(sender));
      await bus.subscribe({
        group: 'adapter-os.steps', topics: [stepCommandsTopic('adapter-os')], from: () => ({ 'sender/0': stand.log.positions()['sender/0'] ?? 0 }),
        handle: batch => { handled += batch.deliveries.length; return stand.journal.handle(batch); },
      });
      return bus;
    };
    const [slow, ...quick] = numbered(50_000, 10) as [ReturnType<typeof numbered>[number], ...ReturnType<typeof numbered>];
    const isSlow = (workflow: string): boolean => workflow.endsWith(slow.workflow.toString(16));
    stand.adapter.before = (method, call) => (method === 'execute' && isSlow(call.workflow) ? new Promise(() => undefined) : undefined);
    const bus = await subscribed();
    await send([slow, ...quick].map(options => stand.execute(options)));
    await until(() => effectsOf(quick).length === 9, 'the nine that are quick');
    await until(() => stand.log.positions()['sender/0'] === 10, 'the positions');
    await bus.stop();

    stand.adapter.before = () => undefined;
    await stand.start();
    const again = await subscribed();
    const more = numbered(51_000, 1);
    await send(more.map(options => stand.execute(options)));
    await until(() => effectsOf(more).length === 1, 'what was sent after the restart');
    await idle();
    expect(handled).toBe(11);
    expect((await stand.reports()).filter(report => isSlow(report.workflow))).toMatchObject([{ outcome: 'didNotHappen' }]);
    await again.stop();
    await sender.close();
  });
});
