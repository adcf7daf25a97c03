import { setCrashHook, type CrashPoint } from '@aifirst/kernel';

/** `AIFIRST_CRASH_AT=<crash point>[:<nth pass>]` kills this process there: how the tests prove that nothing depends on when. */
export function armCrashPoint(at: string | undefined): void {
  if (at === undefined || at === '') return;
  const [name, nth = '1'] = at.split(':') as [CrashPoint, string?];
  let left = Number(nth);
  setCrashHook(passed => { if (passed === name && --left === 0) process.kill(process.pid, 'SIGKILL'); });
}
