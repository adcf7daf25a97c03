import type { DecidePlan, StepDecision } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { aCapability } from '@aifirst/mcp/testing';
import { Reach } from './reach';

const principal = { kind: 'agent', id: 'a', tenant: 'default' } as const;

describe('what a principal may reach', () => {
  let asked: DecidePlan[];
  let policyVersion: string;
  let now: number;
  let connections: { id: string; revision: number; data: { adapter: string } }[];
  let denies: (capability: string, connection: string | null) => boolean;
  let failure: Error | null;
  let reach: Reach;
  beforeEach(() => {
    [asked, policyVersion, now, failure] = [[], '1', 0, null];
    connections = [{ id: 'docs', revision: 1, data: { adapter: 'os' } }, { id: 'crm', revision: 1, data: { adapter: 'sql' } }, { id: 'more', revision: 1, data: { adapter: 'os' } }];
    denies = (capability, connection) => capability === 'fs.read' || connection === 'more';
    const ask = async (_service: string, _question: string, question: DecidePlan): Promise<{ decisions: StepDecision[] }> => {
      if (failure !== null) throw failure;
      asked.push(question);
      return { decisions: question.steps.map(({ step, generation, capability, connection, risk }) => ({ step, generation, outcome: denies(capability, connection) ? 'deny' : 'defer', policies: [], policyVersion, reason: '', risk })) };
    };
    const identity = { connections: { list: () => connections }, principals: { find: () => ({ revision: 1 }) }, neighbours: { ask } } as unknown as Identity;
    reach = new Reach({ identity, clock: { now: () => now, after: () => () => undefined }, ids: { uuid: () => '01999999-0000-7000-8000-000000000001', chance: () => 0 } });
  });
  const capabilities = [aCapability(), aCapability({ name: 'fs.read' }), aCapability({ name: 'sql.execute', adapter: 'sql' }), aCapability({ name: 'noop', adapter: 'builtin' }), aCapability({ name: 'http.request', adapter: 'http' })];
  const found = async () => (await reach.of(principal, capabilities)).map(({ capability: { name }, connections: on }) => [name, on]);

  it('is what policy does not deny, on the connections of its adapter', async () => {
    expect(await found()).toEqual([['fs.write', ['docs']], ['sql.execute', ['crm']], ['noop', []]]);
    for (const step of asked.flatMap(({ steps }) => steps)) expect(step).toMatchObject({ unresolved: true, resources: [] });
  });

  it('is asked for once while nothing has changed, and each time whether something has', async () => {
    await found();
    await found();
    expect(asked.map(({ steps }) => steps.length)).toEqual([1, 6, 1]);
    policyVersion = '2';
    denies = () => true;
    expect(await found()).toEqual([]);
  });

  it('is looked for anew after a while, as policies may look at the time', async () => {
    await found();
    denies = () => true;
    now = 60_000;
    expect(await found()).toEqual([]);
  });

  it('is asked for in parts where there are many connections', async () => {
    connections = Array.from({ length: 450 }, (_, at) => ({ id: `c${at}`, revision: 1, data: { adapter: 'sql' } }));
    expect(await found()).toEqual([['sql.execute', connections.map(({ id }) => id)], ['noop', []]]);
    expect(asked.map(({ steps }) => steps.length)).toEqual([1, 200, 200, 51]);
  });

  it('is asked for again when policy did not answer', async () => {
    failure = new Error('away');
    await expect(found()).rejects.toThrow('away');
    failure = null;
    expect(await found()).toHaveLength(3);
  });

  it('is nothing while nothing is offered', async () => { expect(await reach.of(principal, [])).toEqual([]); });
});
