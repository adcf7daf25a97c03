import { setTimeout as sleep } from 'node:timers/promises';
import { CannotDo } from '@aifirst/execution';
import type { Folder } from './folder';

export interface Patience { readonly untilMs: number; readonly signal?: AbortSignal }
const PAUSE_MS_MAX = 25;

/**
 * Waits for the operating system's lock on a folder; it is held until the folder is closed, by this process or its death.
 * Other calls of this process wait for one another just so.
 * @throws CannotDo `LOCKED`
 */
export async function lock(folder: Folder, { untilMs, signal }: Patience): Promise<void> {
  for (let pauseMs = 1; !folder.tryLock(); pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    if (Date.now() >= untilMs || signal?.aborted) throw new CannotDo('LOCKED', 'another process works there and did not end in time');
    await sleep(pauseMs);
  }
}
