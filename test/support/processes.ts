import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Whoever works with a folder (Linux): named in its command line or environment, or its working directory. Zombies do not count. */
export function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => pid !== process.pid).flatMap(pid => {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    if (/^State:\s+Z/m.test(read(`/proc/${pid}/status`))) return [];
    const named = command.includes(folder) || read(`/proc/${pid}/environ`).split('\0').some(entry => entry === `DATA_DIR=${folder}`) || isIn(link(`/proc/${pid}/cwd`), folder);
    return named ? [{ pid, command }] : [];
  });
}

export const isAlive = (pid: number): boolean => {
  const status = read(`/proc/${pid}/status`);
  return status !== '' && !/^State:\s+Z/m.test(status);
};

const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
function read(path: string): string { try { return readFileSync(path, 'utf8'); } catch { return ''; } }
function link(path: string): string { try { return readlinkSync(path); } catch { return ''; } }
