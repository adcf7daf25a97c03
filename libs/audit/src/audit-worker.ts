import { parentPort, workerData } from 'node:worker_threads';
import { OperationalError, invariant, messageOf, setCrashHook } from '@aifirst/kernel';
import { Folder } from './folding/folder';
import type { CrossingError, FromFolder, ThreadData, ToFolder } from './folding/thread-messages';

const port = parentPort;
invariant(port !== null, 'the folding thread is a thread');

const crossing = (error: unknown): CrossingError => ({ code: error instanceof OperationalError ? error.code : 'AUDIT_FAILED', message: messageOf(error) });
const say = (message: FromFolder): void => { port.postMessage(message); };

const folder = new Folder(workerData as ThreadData, {
  onProgress: progress => { say({ type: 'progress', progress }); },
  onRestart: progress => { say({ type: 'restart', progress }); },
  onGaps: gaps => { say({ type: 'gaps', gaps }); },
  onDefect: detail => { say({ type: 'defect', detail }); },
  onRetrying: error => { say({ type: 'retrying', error: crossing(error) }); },
  onEnded: error => { say({ type: 'ended', error: crossing(error) }); },
});

port.on('message', (message: ToFolder) => {
  if (message.type === 'take') { folder.take(message.batch); return; }
  const { type, call } = message;
  const work = type === 'open' ? folder.open() : folder[type]();
  work.then(result => { say({ type: 'answer', call, result: result ?? null }); }, error => { say({ type: 'failure', call, error: crossing(error) }); });
});

// Why here too: the thread has a kernel of its own, which the process's hook does not reach.
const [name, pass] = process.env['AIFIRST_CRASH_AT']?.split(':') ?? [];
if (name?.startsWith('audit.') === true) {
  let passes = 0;
  setCrashHook(point => { if (point === name && ++passes === Number(pass ?? 1)) process.kill(process.pid, 'SIGKILL'); });
}
