import type { FolderOptions } from '../folding/folder';
import { ThreadFolder } from '../folding/thread-folder';

/** A process that folds what it is given on its standard input, for tests that kill it. */
interface Given { readonly options: Omit<FolderOptions, 'seed'> & { readonly seed: readonly number[] }; readonly worker: string; readonly execArgv: string[]; readonly batches: readonly string[] }

async function run(): Promise<void> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  const { options, worker, execArgv, batches } = JSON.parse(text) as Given;
  const ignore = (): void => undefined;
  const folder = new ThreadFolder(worker, { ...options, seed: Uint8Array.from(options.seed) }, { onProgress: ignore, onGaps: ignore, onRestart: ignore, onDefect: ignore, onRetrying: ignore, onEnded: ignore }, { execArgv });
  await folder.open();
  for (const groups of batches) {
    folder.take({ run: 0, groups, positions: {} });
    await folder.flush();
  }
  await folder.stop();
}

void run();
