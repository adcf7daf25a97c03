import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stepCommandsTopic, TOPICS, type CloudEvent } from '@aifirst/contracts';
import { RecordCodec } from '@aifirst/bus-kafka/testing';
import { noop, type AgentClient } from '../support/agent';
import { AuditLog, type Entry } from '../support/audit-log';
import type { Body } from '../support/http';
import { envelope, Records, seriesOf } from '../support/records';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const COMMANDS = stepCommandsTopic('adapter-os');
const EXECUTE = 'aifirst.execution.execute-step.v1';
const REFUSED = 'aifirst.execution.command-refused.v1';
/** Every topic that services read, and what lies on it. */
const READ: readonly (readonly [topic: string, type: string])[] = [
  [COMMANDS, EXECUTE], [TOPICS.workflowCommands, 'aifirst.orchestration.start-workflow.v1'], [TOPICS.decisionCommands, 'aifirst.policy.decide-plan.v1'],
  [TOPICS.decisionEvents, 'aifirst.policy.plan-decided.v1'], [TOPICS.stepEvents, 'aifirst.execution.step-reported.v1'], [TOPICS.workflowEvents, 'aifirst.workflow.workflow-ended.v1'],
];

describe('records that somebody puts on our topics by hand', () => {
  const test = useStack();
  let agent: AgentClient;
  let records: Records;
  /** A command of a real workflow, as whoever can read the topic sees it. */
  let seen: CloudEvent<Body>;

  beforeAll(async () => {
    agent = await test.stack.agent();
    records = await Records.of(test.stack);
    const workflow = await agent.run([agent.fs('write', 'first', { path: 'first.txt', content: 'first' }), agent.fs('write', 'second', { path: 'second.txt', content: 'second' }, { dependsOn: ['first'] })]);
    expect(workflow.status).toBe('completed');
    const record = await records.find(COMMANDS, ({ key, value }) => key?.toString() === workflow.id && JSON.parse(value!.toString()).data.step === 'second');
    seen = JSON.parse(record.value!.toString());
    expect(seen.type).toBe(EXECUTE);
  });
  afterAll(async () => { await records?.close(); });

  const refusedRecords = async (topic: string, code: string): Promise<number> => seriesOf(await test.stack.metrics(), 'aifirst_records_refused_total', { topic, code });
  const goesOn = async (): Promise<void> => { expect((await agent.run([noop('a')])).status).toBe('completed'); };
  const writing = (path: string, more: object = {}): CloudEvent<Body> => ({ ...seen, id: `forged-${path}`, data: { ...seen.data, input: { ...seen.data.input, path }, ...more } });
  const isWritten = (path: string): boolean => existsSync(join(agent.root, path));

  /** Refusals recorded of this workflow, beyond those there were. */
  async function refusal(before: readonly Entry[], workflow: string): Promise<Entry> {
    const known = new Set(before.map(({ index }) => index));
    return until('the refusal is in the log', async () => (await new AuditLog(test.stack.admin).entries()).find(({ index, event }) => !known.has(index) && event.type === REFUSED && event.subject === workflow));
  }

  it('are refused without a MAC, on every topic: counted, told of in the log, and nothing is done', async () => {
    for (const [topic, type] of READ) {
      const event = topic === COMMANDS ? writing('no-mac.txt') : envelope({ type, subject: seen.subject, data: { workflow: seen.subject }, sequence: 1, producer: 'adapter-os/0' });
      const before = await refusedRecords(topic, 'NO_MAC');
      await records.put(topic, { key: seen.subject, value: Buffer.from(JSON.stringify(event)), headers: { 'content-type': 'application/cloudevents+json' } });
      await until(`${topic} refuses it`, async () => await refusedRecords(topic, 'NO_MAC') > before);
    }
    const lines = test.stack.output.split('\n').filter(line => line.includes('"a record was refused"')).map(line => JSON.parse(line) as Body);
    for (const [topic] of READ) expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', topic, reason: 'NO_MAC', service: expect.any(String), partition: expect.any(Number), offset: expect.any(Number) }));
    expect(isWritten('no-mac.txt')).toBe(false);
    expect((await agent.workflow(seen.subject)).status).toBe('completed');
    await goesOn();
  });

  it('are refused under the MAC of another key, or of another topic', async () => {
    const stranger = new RecordCodec(randomBytes(32));
    const before = await refusedRecords(COMMANDS, 'WRONG_MAC');
    await records.put(COMMANDS, records.sealed(COMMANDS, seen.subject, writing('stranger.txt'), stranger), records.sealed(TOPICS.stepEvents, seen.subject, writing('elsewhere.txt')));
    await until('both are refused', async () => await refusedRecords(COMMANDS, 'WRONG_MAC') === before + 2);
    expect(isWritten('stranger.txt') || isWritten('elsewhere.txt')).toBe(false);
    await goesOn();
  });

  it.each<[string, string, () => CloudEvent<Body>]>([
    ['without a seal', 'unsealed.txt', () => writing('unsealed.txt', { generation: 2, lease: { ...seen.data.lease, mac: '' } })],
    ['with a seal of somebody else\'s making', 'own-seal.txt', () => writing('own-seal.txt', { generation: 2, lease: { ...seen.data.lease, mac: randomBytes(32).toString('base64url') } })],
    ['whose lease was made for the same step with another input', 'other-input.txt', () => writing('other-input.txt')],
    ['whose lease was made for another step', 'other-step.txt', () => writing('other-step.txt', { step: 'third', index: 2 })],
    ['whose lease was given a longer life', 'longer.txt', () => writing('longer.txt', { lease: { ...seen.data.lease, expiresAt: seen.data.lease.expiresAt + 3_600_000 } })],
  ])('under our MAC, a command %s is refused, recorded, and not carried out', async (_, path, forged) => {
    const before = await new AuditLog(test.stack.admin).entries();
    const counted = seriesOf(await test.stack.metrics(), 'aifirst_inputs_ignored_total', { kind: 'INVALID_SEAL' });
    await records.put(COMMANDS, records.sealed(COMMANDS, seen.subject, forged()));
    const { event } = await refusal(before, seen.subject);
    expect(event.data).toMatchObject({ workflow: seen.subject, step: forged().data.step, code: 'INVALID_SEAL' });
    expect(seriesOf(await test.stack.metrics(), 'aifirst_inputs_ignored_total', { kind: 'INVALID_SEAL' })).toBe(counted + 1);
    expect(isWritten(path)).toBe(false);
    expect((await agent.workflow(seen.subject)).status).toBe('completed');
    await goesOn();
  });

  it('a command copied byte by byte is answered from the journal, not carried out again', async () => {
    const changed = 'changed by somebody since';
    const own = join(agent.root, 'second.txt');
    expect(readFileSync(own, 'utf8')).toBe('second');
    writeFileSync(own, changed);
    await records.put(COMMANDS, records.sealed(COMMANDS, seen.subject, seen));
    const reports = (entries: readonly Entry[]): number => entries.filter(({ event }) => event.type === 'aifirst.execution.step-reported.v1' && event.subject === seen.subject && event.data.step === 'second').length;
    await until('it was answered once more', async () => reports(await new AuditLog(test.stack.admin).entries()) >= 2);
    expect(readFileSync(own, 'utf8')).toBe(changed);
    await goesOn();
  });

  it('nothing of it is parked, and the log verifies', async () => {
    expect(await test.stack.admin.all('/v1/dead-letters')).toEqual([]);
    await new AuditLog(test.stack.admin).verify();
  });
});
