import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { OperationalError } from '@aifirst/kernel';

/** Whom the server runs as. PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Not the user that this process runs as. */
  readonly other: boolean;
}

export const isRoot = (): boolean => process.getuid?.() === 0;

/** Accounts to fall back on, best first. None is ever created. */
const CANDIDATES = ['postgres', '_postgres', 'nobody'];

/** Ourselves; or, as root, an account that every system has. */
export function serverUser(): ServerUser {
  if (!isRoot()) return { name: `uid ${process.getuid?.() ?? 0}`, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, other: false };
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'));
  for (const candidate of CANDIDATES) {
    const account = accounts.find(([name]) => name === candidate);
    // Why: macOS writes nobody's id as -2, the kernel takes it unsigned.
    if (account !== undefined) return { name: candidate, uid: Number(account[2]) >>> 0, gid: Number(account[3]) >>> 0, other: true };
  }
  throw new OperationalError('POSTGRES_NO_USER', 'PostgreSQL does not run as root, and there is neither a user `postgres` nor a user `nobody`: start as another user, or set DATABASE_URL');
}

/** Options of child_process that run a program as that user, with an environment in which nothing of ours (PGDATA, PGOPTIONS, secrets) is left. */
export function asUser(user: ServerUser): { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return user.other ? { cwd: '/', env, uid: user.uid, gid: user.gid } : { cwd: '/', env };
}

/** Runs a program to its end as that user. */
export function runAs(user: ServerUser, program: string, args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { error, status, stdout, stderr } = spawnSync(program, args, { ...asUser(user), stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  if (error !== undefined && user.other && ['EPERM', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) {
    throw new OperationalError('POSTGRES_NO_USER', `PostgreSQL does not run as root, and this root may not become \`${user.name}\`: start as another user, or set DATABASE_URL`, { cause: error });
  }
  return { ok: error === undefined && status === 0, output: error === undefined ? `${stdout}${stderr}`.trim() : error.message };
}

/** Whether that user may enter the folder, asked of the kernel rather than computed from modes: lists of access rights count too. */
export const canEnter = (user: ServerUser, folder: string): boolean =>
  !user.other || runAs(user, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder]).ok;
