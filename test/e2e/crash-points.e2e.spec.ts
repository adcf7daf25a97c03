import { CRASH_POINTS } from '@aifirst/kernel';
import type { AgentClient } from '../support/agent';
import { AppendLoad } from '../support/append-load';
import { AuditLog } from '../support/audit-log';
import { causalityFaults } from '../support/causality';
import { isDistributed } from '../support/distribution';
import { Stack } from '../support/stack';
import { pause, sizeOf } from '../support/wait';

const PASSES = sizeOf('AIFIRST_CRASH_PASSES', isDistributed ? 1 : 2);
/** Where a restart takes six processes and a lease, and unless told otherwise: what is durable and nobody knows of yet. */
const isTried = (point: string): boolean => !isDistributed || (process.env['AIFIRST_CRASH_PASSES'] ?? '') !== '' || point.endsWith('.after');
const AT_ONCE = 6;
const DIES_MS_MAX = 30_000;
/** Nobody may be stuck a minute after; where a lease has to run out first it takes more of that. */
const REST_MS_MAX = isDistributed ? 60_000 : 30_000;

/** The service that passes it, where every service has its own process. */
const ownerOf = (point: string): string => {
  const part = point.slice(0, point.indexOf('.'));
  return part === 'views' ? 'gateway' : part === 'adapter' ? 'adapter-os' : part;
};

/** Each point in the code where something has just become durable, or is about to: the process dies there, and the next one carries on. */
describe('a process that dies at a crash point', () => {
  let stack: Stack;
  let agent: AgentClient;
  let log: AuditLog;

  beforeAll(async () => {
    stack = await Stack.start({ env: { LOG_LEVEL: 'warn' } });
    agent = await stack.agent();
    log = new AuditLog(stack.admin);
  });
  afterAll(async () => { await stack?.stop(); });

  const points = CRASH_POINTS.filter(isTried).flatMap(point => Array.from({ length: PASSES }, (_, pass) => [point, pass + 1] as const));

  it.each(points)('%s, pass %i: everything accepted ends, every line stands exactly once or not at all, and the log verifies', async (point, pass) => {
    const load = new AppendLoad(stack, agent, `${point}.${pass}`);
    await stack.terminate();
    await stack.launch({ AIFIRST_CRASH_AT: `${point}:${pass}` });
    const died = (): boolean => stack.hasEnded || stack.deaths.length > 0;
    // More is sent until it dies: what passes a point once in a batch of many passes it twice in two.
    const sending: Promise<unknown>[] = [];
    for (const until = Date.now() + DIES_MS_MAX; !died() && Date.now() < until;) {
      if (sending.length < 10) sending.push(load.sendAll(AT_ONCE, AT_ONCE));
      await Promise.race([stack.ended, pause(500)]);
    }
    if (!died()) throw new Error(`${point} was not passed ${pass} times within ${DIES_MS_MAX} ms and ${load.sent.length} workflows`);
    if (stack.distribution === null) {
      expect(await stack.ended).toEqual({ code: null, signal: 'SIGKILL' });
      stack.http.renew();
      await stack.launch();
    } else {
      // Nobody else died, and it was started again.
      expect(stack.deaths).toEqual([`${ownerOf(point)} SIGKILL`]);
    }
    await stack.ready();
    await Promise.all(sending);
    expect(await load.faults(REST_MS_MAX)).toEqual([]);
    expect(await stack.admin.all('/v1/locks')).toEqual([]);
    const entries = await log.settled(load.workflows);
    await log.verify(entries);
    const mine = new Set(load.workflows);
    expect(causalityFaults(entries.map(({ event }) => event).filter(({ type, subject }) => !type.startsWith('aifirst.workflow.') || mine.has(subject)))).toEqual([]);
  }, 180_000);
});
