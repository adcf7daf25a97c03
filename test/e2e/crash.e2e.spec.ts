import { type AgentClient } from '../support/agent';
import { AppendLoad } from '../support/append-load';
import { logFaults } from '../support/log-faults';
import { processesOf } from '../support/processes';
import { Stack } from '../support/stack';
import { pause, sizeOf, until } from '../support/wait';

const KILLS = sizeOf('AIFIRST_KILLS', 4);
const WORKFLOWS = sizeOf('AIFIRST_WORKFLOWS', 60);
const IN_FLIGHT = sizeOf('AIFIRST_IN_FLIGHT', 12);
/** So many of each share are sent right before the kill. */
const LATE = 4;
const END_MS_MAX = 120_000;
/** How long it runs between two kills, spread so that kills meet everything, the recovery too. */
const lives = (kill: number): number => [150, 700, 20, 400, 1_200, 80, 300, 5][kill % 8]!;

describe(`killed with SIGKILL ${KILLS} times while ${WORKFLOWS} workflows are in flight`, () => {
  let stack: Stack;
  let agent: AgentClient;
  let load: AppendLoad;

  beforeAll(async () => {
    stack = await Stack.start({ env: { LOG_LEVEL: 'warn' } });
    agent = await stack.agent();
    load = new AppendLoad(stack, agent);
    load.allowed = 0;
    const sending = load.sendAll(WORKFLOWS, IN_FLIGHT);
    for (let kill = 0; kill < KILLS; kill++) {
      // Why spread over the load, and the last of a share held back: every kill must find something in flight, however fast the machine is.
      const share = Math.floor(((kill + 1) / (KILLS + 1)) * WORKFLOWS);
      load.allowed = share - LATE;
      await until('enough was sent to kill it again', () => load.sent.filter(({ workflow }) => workflow !== null).length >= load.allowed, 120_000, 2);
      await pause(lives(kill));
      load.allowed = share;
      await until('some wait for their answer', () => load.waiting > 0, 10_000, 1);
      await stack.kill9();
      await stack.launch();
      if (kill % 3 !== 1) await stack.ready();
    }
    await stack.ready();
    load.allowed = Infinity;
    await sending;
  }, 60_000 + KILLS * 30_000 + WORKFLOWS * 1_000);
  afterAll(async () => { await stack?.stop(); });

  it('everything that was accepted ends, and every line stands exactly once if and only if its workflow completed', async () => {
    expect(await load.faults(END_MS_MAX)).toEqual([]);
    expect(load.lost).toBeGreaterThan(0);
  }, END_MS_MAX + 10_000);

  it('the log verifies, has every number once, and for every outcome the decision and start before it', async () => {
    expect(await logFaults(stack.admin, load.workflows, 60_000)).toEqual([]);
  }, 90_000);

  it('nothing waits any more: no lock, no dead letter, no step in the dark', async () => {
    expect(await stack.admin.all('/v1/locks')).toEqual([]);
    expect(await stack.admin.all('/v1/dead-letters')).toEqual([]);
  });

  it('of all that was started one process and its database are left', async () => {
    const commands = processesOf(stack.dataDir).map(({ command }) => command);
    expect(commands.filter(command => command.includes(stack.distribution === null ? 'main.js' : 'distributed.js'))).toHaveLength(1);
  });
});
