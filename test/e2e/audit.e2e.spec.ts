import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, noop, type AgentClient } from '../support/agent';
import { AuditLog, type Entry } from '../support/audit-log';
import { ROOT } from '../support/build';
import { causalityFaults, sequenceFaults } from '../support/causality';
import { leafHash } from '../support/merkle';
import type { Checkpoint } from '../support/note';
import { useStack } from '../support/stack';
import { sizeOf } from '../support/wait';

const TAMPERINGS = sizeOf('AIFIRST_TAMPERINGS', 8);

describe('the audit log', () => {
  const world = useStack();
  let agent: AgentClient;
  let log: AuditLog;
  let early: Checkpoint;
  let entries: Entry[];
  let checkpoint: Checkpoint;

  beforeAll(async () => {
    agent = await world.stack.agent();
    log = new AuditLog(world.stack.admin);
    const first = await agent.run([agent.fs('write', 'a', { path: 'a.txt', content: 'a' })]);
    await log.settled([first.id]);
    early = await log.checkpoint();
    const clerk = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.read'] });
    expect((await world.stack.as('wrong').get('/v1/workflows')).status).toBe(401);
    const workflows = await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => agent.run([agent.fs('append', 'a', { path: `${n % 3}.log`, content: `${n}\n` }), noop('b', n % 3 === 0 ? { fail: 'clean' } : {}, after('a'))])),
      clerk.run([clerk.fs('write', 'a', { path: 'x', content: 'x' })]), agent.run([noop('a', { fail: 'clean' }, { retry: { attemptsMax: 3 } })]),
      agent.run([noop('a', { fail: 'unknown', probe: 'happened' })]), agent.run([noop('a', { fail: 'unknown', probe: 'didNotHappen' }, { retry: { attemptsMax: 2 } })]),
    ]);
    entries = await log.settled([first.id, ...workflows.map(({ id }) => id)]);
    checkpoint = await log.verify(entries);
    entries = entries.slice(0, checkpoint.size);
  }, 120_000);

  it('is signed under the deployment and tenant, and its entries have the root that is signed', () => {
    expect(checkpoint.origin).toBe('aifirst/default');
    expect(checkpoint.size).toBeGreaterThan(200);
  });

  it('proves entries to be in it, and itself to have only grown', async () => {
    for (const index of [0, 1, Math.floor(checkpoint.size / 3), early.size, checkpoint.size - 1]) await log.verifyInclusion(entries[index]!, checkpoint);
    await log.verifyInclusion(entries[0]!, early);
    await log.verifyConsistency(early, checkpoint);
    const { items } = await world.stack.admin.must(200, 'GET', '/v1/audit/entries?limit=1');
    expect(await world.stack.admin.must(200, 'GET', '/v1/audit/entries/0')).toEqual(items[0]);
    expect((await world.stack.admin.get('/v1/audit/entries/99999999')).status).toBe(404);
  });

  it('is served as tiles with the same leaves', async () => {
    const width = Math.min(256, checkpoint.size);
    const partial = width === 256 ? '' : `.p/${width}`;
    const hashes = (await world.stack.admin.call('GET', `/v1/audit/tile/0/000${partial}`)).bytes;
    expect(hashes).toHaveLength(width * 32);
    const bundle = (await world.stack.admin.call('GET', `/v1/audit/tile/entries/000${partial}`)).bytes;
    let at = 0;
    for (let index = 0; index < width; index++) {
      const length = bundle.readUInt16BE(at);
      const leaf = bundle.subarray(at + 2, at + 2 + length);
      expect(JSON.parse(leaf.toString())).toEqual(entries[index]!.event);
      expect(leafHash(leaf).equals(hashes.subarray(index * 32, index * 32 + 32))).toBe(true);
      at += 2 + length;
    }
    expect(at).toBe(bundle.length);
  });

  it('has for every outcome the decision and the start that precede it', () => {
    expect(causalityFaults(entries.map(({ event }) => event))).toEqual([]);
    const started = entries.filter(({ event }) => event.type === 'aifirst.workflow.step-started.v1');
    expect(started.length).toBeGreaterThan(40);
  });

  it('has every number of every producer, over all tenants, once', async () => {
    const system = await new AuditLog(world.stack.admin, 'system').entries();
    expect(sequenceFaults([...entries, ...system].map(({ event }) => event))).toEqual([]);
    expect(system.some(({ event }) => event.type === 'aifirst.credential.refused.v1')).toBe(true);
  });

  it('records who did what as administrator', () => {
    const types = new Set(entries.map(({ event }) => event.type));
    for (const type of ['aifirst.agent.created.v1', 'aifirst.token.issued.v1', 'aifirst.connection.created.v1', 'aifirst.workflow.intent-submitted.v1', 'aifirst.execution.step-prepared.v1', 'aifirst.execution.step-reported.v1']) expect(types.has(type) ? type : `${type} is missing; there are ${[...types].join(', ')}`).toBe(type);
    for (const { event } of entries) expect(event).toMatchObject({ specversion: '1.0', id: expect.any(String), source: expect.any(String), time: expect.stringMatching(/Z$/), subject: expect.any(String), tenant: 'default', producer: expect.any(String), sequence: expect.any(Number) });
  });

  it('filters by agent, workflow, type, resource and time', async () => {
    const { admin } = world.stack;
    const one = entries.find(({ event }) => event.type === 'aifirst.workflow.step-started.v1' && event.data.resources.length > 0)!;
    const by = async (query: string): Promise<Entry[]> => admin.all(`/v1/audit/entries?${query}`);
    const mine = await by(`workflow=${one.event.subject}`);
    expect(mine.length).toBeGreaterThan(5);
    expect(mine.every(({ event }) => JSON.stringify(event).includes(one.event.subject))).toBe(true);
    const typed = await by(`workflow=${one.event.subject}&type=${one.event.type}`);
    expect(typed.every(({ event }) => event.type === one.event.type)).toBe(true);
    expect(typed).toContainEqual(one);
    expect(await by(`resource=${encodeURIComponent(one.event.data.resources[0])}`)).toContainEqual(one);
    expect((await by(`agent=${agent.id}`)).length).toBeGreaterThan(100);
    expect(await by('to=2020-01-01')).toEqual([]);
    expect((await by('from=2020-01-01')).length).toBeGreaterThanOrEqual(entries.length);
  });

  describe('its export', () => {
    const cli = (...args: string[]): { status: number | null; output: string } => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['apps/cli/bin/aifirst.js', 'audit', 'verify', ...args], { cwd: ROOT, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', AIFIRST_URL: world.stack.url, AIFIRST_TOKEN: world.stack.admin.token! } });
      return { status, output: `${stdout}${stderr}` };
    };
    let file: string;
    beforeAll(async () => {
      file = join(world.stack.folder, 'export.aifirst');
      writeFileSync(file, (await world.stack.admin.call('GET', '/v1/audit/export')).bytes);
    });

    it('verifies offline, with the key pinned or the one inside', async () => {
      const plain = cli('--offline', file);
      expect(plain.output).toMatch(/key not pinned/);
      expect(plain).toMatchObject({ status: 0 });
      const [key] = await log.keys();
      const pinned = cli('--offline', file, '--key', key!);
      expect(pinned).toMatchObject({ status: 0 });
      expect(pinned.output).not.toMatch(/key not pinned/);
      writeFileSync(join(world.stack.folder, 'vkey'), `${key}\n`);
      expect(cli('--offline', file, '--key', join(world.stack.folder, 'vkey'))).toMatchObject({ status: 0 });
    });

    it('is not verified under another key', async () => {
      const [key] = await log.keys();
      const other = key!.replace(/.{10}$/, 'AAAAAAAAA=');
      expect([1, 2]).toContain(cli('--offline', file, '--key', other).status);
    });

    it(`tells every flipped byte (${TAMPERINGS} tries)`, () => {
      const bytes = readFileSync(file);
      const tampered = join(world.stack.folder, 'tampered.aifirst');
      for (let tried = 0; tried < TAMPERINGS; tried++) {
        const at = Math.floor((tried + 0.5) * bytes.length / TAMPERINGS);
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ 1;
        writeFileSync(tampered, changed);
        expect(`byte ${at}: ${cli('--offline', tampered).status}`).toBe(`byte ${at}: 1`);
      }
    }, 120_000);

    it('names the entry that was changed', () => {
      const text = readFileSync(file, 'utf8');
      const at = text.indexOf('"outcome":"allow"');
      const tampered = join(world.stack.folder, 'tampered.aifirst');
      writeFileSync(tampered, `${text.slice(0, at)}"outcome":"denyx"${text.slice(at + 17)}`);
      const { status, output } = cli('--offline', tampered);
      expect([status, output]).toEqual([1, expect.stringMatching(/\b(index|entry) \d+/)]);
    });

    it('and the server verify, and usage is exit 2', () => {
      expect(cli()).toMatchObject({ status: 0 });
      expect(cli('--nonsense')).toMatchObject({ status: 2 });
      expect(cli('--offline', join(world.stack.folder, 'missing'))).toMatchObject({ status: 2 });
    });
  });
});
