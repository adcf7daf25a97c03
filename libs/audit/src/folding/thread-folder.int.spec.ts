import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ClientConfig } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { AUDIT_SCHEMA, AuditStand, migrateAudit, TEST_KEY } from '../testing/audit-stand';
import { FACTS_PER_WORKFLOW, workflowFacts } from '../testing/facts';
import { verifyExport } from '../verify';
import type { FolderEvents, Progress } from './folder';
import { ThreadFolder } from './thread-folder';

/** Runs our TypeScript as it is, in a thread or a process of its own. */
const RUN_TYPESCRIPT = ['-r', join(__dirname, '..', '..', '..', 'embedded-postgres', 'src', 'testing', 'run-typescript.cjs')];
const WORKER = join(__dirname, '..', 'audit-worker.ts');

let postgres: TestPostgres;
let connection: ClientConfig;
beforeAll(async () => {
  postgres = await startTestPostgres();
  connection = await migrateAudit(postgres.connection);
});
afterAll(async () => { await postgres.stop(); });

const groupsOf = (numbers: Parameters<typeof workflowFacts>[1], workflows: number): string =>
  JSON.stringify(Array.from({ length: workflows }, () => workflowFacts(randomUUID(), numbers)).flat().map(({ event }) => [event.producer, [event]]));

class Heard implements FolderEvents {
  progress: Progress | null = null;
  ended: unknown = null;
  onProgress(progress: Progress): void { this.progress = progress; }
  onGaps(): void { throw new Error('nothing is missing'); }
  onRestart(): void { throw new Error('nothing is lost'); }
  onDefect(detail: string): void { throw new Error(detail); }
  onRetrying(error: unknown): void { throw error; }
  onEnded(error: unknown): void { this.ended = error; }
}
const folderOf = (events: FolderEvents) => new ThreadFolder(WORKER, { connection, schema: AUDIT_SCHEMA, deployment: 'test', seed: TEST_KEY }, events, { execArgv: RUN_TYPESCRIPT });

describe('folding in a thread of its own', () => {
  it('folds, signs and tells how far it is; and goes on from there', async () => {
    const numbers = { gateway: 0, orchestrator: 0, policy: 0, adapter: 0 };
    for (const round of [1, 2]) {
      const heard = new Heard();
      const folder = folderOf(heard);
      const begun = await folder.open();
      expect(begun.producers['orchestrator/0'] ?? 0).toBe(numbers.orchestrator);
      folder.take({ run: 0, groups: groupsOf(numbers, 40), positions: { 'orchestrator/0': 7 * round } });
      await folder.flush();
      expect(heard.progress).toEqual({ run: 0, settled: 40 * FACTS_PER_WORKFLOW, positions: { 'orchestrator/0': 7 * round }, producers: { 'gateway/0': numbers.gateway, 'orchestrator/0': numbers.orchestrator, 'policy/0': numbers.policy, 'adapter-os/0': numbers.adapter } });
      await folder.stop();
      expect(heard.ended).toBeNull();
    }
    const stand = await new AuditStand(connection).start();
    expect(verifyExport(await stand.export())).toMatchObject({ ok: true, summary: { entries: 80 * FACTS_PER_WORKFLOW } });
    await stand.stop();
  });

  it('says so when the thread ends by itself', async () => {
    const heard = new Heard();
    const folder = new ThreadFolder(join(__dirname, 'nowhere.js'), { connection, schema: AUDIT_SCHEMA, deployment: 'test', seed: TEST_KEY }, heard);
    await expect(folder.open()).rejects.toThrow('nowhere.js');
    expect(heard.ended).toMatchObject({ message: expect.stringContaining('nowhere.js') });
    await folder.stop();
  });

  it.each(['audit.bundle.before:3', 'audit.bundle.after:3'])('loses and doubles nothing when the process is killed at %s', async point => {
    const database = await postgres.createDatabase(point.replace(/\W/g, '_'));
    const own = await migrateAudit(database);
    const numbers = { gateway: 0, orchestrator: 0, policy: 0, adapter: 0 };
    const batches = Array.from({ length: 10 }, () => groupsOf(numbers, 20));
    const fold = async (environment: NodeJS.ProcessEnv): Promise<string | null> => {
      const child = spawn(process.execPath, [...RUN_TYPESCRIPT, join(__dirname, '..', 'testing', 'fold-batches.ts')], { env: { ...process.env, ...environment }, stdio: ['pipe', 'inherit', 'inherit'] });
      child.stdin.on('error', () => undefined);
      child.stdin.end(JSON.stringify({ options: { connection: own, schema: AUDIT_SCHEMA, deployment: 'test', seed: [...TEST_KEY] }, worker: WORKER, execArgv: RUN_TYPESCRIPT, batches }));
      return new Promise(resolve => { child.once('close', (_, signal) => { resolve(signal); }); });
    };
    expect(await fold({ AIFIRST_CRASH_AT: point })).toBe('SIGKILL');
    expect(await fold({})).toBeNull();
    const stand = await new AuditStand(own).start();
    expect(verifyExport(await stand.export())).toMatchObject({ ok: true, summary: { entries: 200 * FACTS_PER_WORKFLOW } });
    await stand.stop();
  });
});
