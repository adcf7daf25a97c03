import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, expectStatus, noop, AgentClient } from '../support/agent';
import { freePort } from '../support/ports';
import { Stack } from '../support/stack';
import { until } from '../support/wait';
import { have, read, ROOT, run } from './tools';

/** A server and its tools of one version: a dump by an older `pg_dump` than the server is refused. */
function findServer(): string | null {
  const roots = ['/usr/lib/postgresql', '/usr/local/lib/postgresql'].filter(existsSync);
  const folders = roots.flatMap(root => readdirSync(root).sort((a, b) => Number(b) - Number(a)).map(version => join(root, version, 'bin')));
  return folders.find(folder => ['postgres', 'initdb', 'pg_dump', 'pg_dumpall', 'pg_restore', 'psql'].every(tool => existsSync(join(folder, tool)))) ?? null;
}
const bin = findServer();
const isThere = bin !== null && have(join(bin, 'pg_dump'), '--version', 'Debian: postgresql', 'backup and restore');
if (bin === null) have('a PostgreSQL server with its tools', '--version', 'Debian: postgresql', 'backup and restore, as docs/operations.md tells it');

const block = (name: string): string => new RegExp(`<!-- test: ${name} -->\\n\`\`\`bash\\n([\\s\\S]*?)\`\`\``).exec(read('docs/operations.md'))?.[1] ?? '';

/** A server on a port of its own. It refuses to run as root, as which tests may run. */
class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'aifirst-pg-'));
  private readonly user: { uid?: number; gid?: number } = process.getuid?.() === 0 ? { uid: Number(execFileSync('id', ['-u', 'postgres'])), gid: Number(execFileSync('id', ['-g', 'postgres'])) } : {};
  private child: ChildProcess | null = null;
  url = '';

  async start(): Promise<void> {
    const data = join(this.folder, 'data');
    const passwords = join(this.folder, 'password');
    writeFileSync(passwords, 'not-so-secret\n');
    chmodSync(this.folder, 0o711);
    if (this.user.uid !== undefined) for (const path of [this.folder, passwords]) chownSync(path, this.user.uid, this.user.gid!);
    execFileSync(join(bin!, 'initdb'), ['--pgdata', data, '--username', 'aifirst', '--pwfile', passwords, '--auth', 'scram-sha-256', '--no-sync', '--encoding', 'UTF8', '--locale', 'C'], { ...this.user, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await freePort();
    this.child = spawn(join(bin!, 'postgres'), ['-D', data, '-p', `${port}`, '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${this.folder}`, '-c', 'fsync=off', '-c', 'shared_buffers=32MB'], { ...this.user, cwd: '/', stdio: 'ignore' });
    this.url = `postgres://aifirst:not-so-secret@127.0.0.1:${port}/postgres`;
    await until('PostgreSQL answers', () => this.sql('SELECT 1').status === 0, 30_000);
    this.sql('CREATE DATABASE aifirst', true);
    this.url = this.url.replace(/postgres$/, 'aifirst');
  }

  sql(text: string, must = false): { readonly status: number | null; readonly stdout: string } {
    const { status, stdout, stderr } = spawnSync(join(bin!, 'psql'), ['--dbname', this.url, '--no-psqlrc', '--tuples-only', '--no-align', '--command', text], { encoding: 'utf8' });
    if (must && status !== 0) throw new Error(stderr);
    return { status, stdout };
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child !== null && child.exitCode === null) {
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

(isThere ? describe : describe.skip)('backup and restore, as docs/operations.md tells it', () => {
  const servers: Server[] = [];
  const stacks: Stack[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-backup-'));
  const backup = join(folder, 'backup');
  afterAll(async () => {
    for (const stack of stacks) await stack.stop();
    for (const server of servers) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const server = async (): Promise<Server> => { const made = new Server(); servers.push(made); await made.start(); return made; };
  const shell = (name: string, env: Readonly<Record<string, string>>) => run('bash', ['--norc', '-euo', 'pipefail', '-c', block(name)], { env: { PATH: `${bin}:${process.env['PATH']}`, ...env } });
  const audit = (stack: Stack) => run(process.execPath, [join(ROOT, 'apps/cli/bin/aifirst.js'), 'audit', 'verify'], { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, AIFIRST_URL: stack.url, AIFIRST_TOKEN: readFileSync(join(stack.dataDir, 'admin.token'), 'utf8').trim() } });

  it('bring back every workflow, the keys, the audit log, and the undo of what was done', async () => {
    const first = await server();
    const before = await Stack.start({ env: { DATABASE_URL: first.url } });
    stacks.push(before);
    const agent = await before.agent();
    const done = await agent.run([agent.fs('write', 'write', { path: 'kept.txt', content: 'sealed at rest' }), noop('then', {}, after('write'))]);
    expectStatus(done, 'completed');
    const undone = await agent.run([agent.fs('write', 'write', { path: 'gone.txt', content: 'x' }), noop('fails', { fail: 'clean' }, after('write'))]);
    expectStatus(undone, 'rolledBack');
    await until('all is audited', async () => audit(before).status === 0);

    // Taken while it runs.
    const taken = shell('backup', { DATABASE_URL: first.url, DATA_DIR: before.dataDir, BACKUP: backup });
    expect(taken).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(backup).sort()).toEqual(['admin.token', 'audit.key', 'contents.txt', 'database.dump', 'master.key', 'roles.sql', 'service.key']);
    for (const file of readdirSync(backup)) expect(`${file} ${(statSync(join(backup, file)).mode & 0o077).toString(8)}`).toBe(`${file} 0`);
    expect(readFileSync(join(backup, 'roles.sql'), 'utf8')).not.toMatch(/PASSWORD|SCRAM/);
    const files = agent.root;
    await before.terminate();
    await first.stop();

    const second = await server();
    const restored = await Stack.prepared({ env: { DATABASE_URL: second.url } });
    stacks.push(restored);
    mkdirSync(restored.dataDir, { mode: 0o711 });
    expect(shell('restore', { DATABASE_URL: second.url, DATA_DIR: restored.dataDir, BACKUP: backup })).toMatchObject({ status: 0, stderr: '' });
    await restored.launch();
    await restored.ready();

    const again = new AgentClient(restored.http, agent.token!, agent.id, agent.role, agent.connection);
    for (const workflow of [done, undone]) expect(await again.workflow(workflow.id)).toMatchObject(workflow);
    expect(audit(restored)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^verified/) });

    // Sealed values are read with the keys that were brought back: undo needs them.
    expect(existsSync(join(files, 'kept.txt'))).toBe(true);
    await restored.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'to see that it still can be' } });
    expectStatus(await again.reaches(done.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    expect(existsSync(join(files, 'kept.txt'))).toBe(false);
    expectStatus(await again.run([again.fs('write', 'write', { path: 'new.txt', content: 'goes on' })]), 'completed');
    await until('the log goes on', async () => audit(restored).status === 0);
  }, 180_000);
});
