import type { Gap } from '../domain/sequencer';
import type { FoldBatch, FolderOptions, Progress } from './folder';

/** What the folding thread is told, and what it tells. Errors cross as their code and message. */
export type ToFolder =
  | { readonly type: 'open' | 'flush' | 'checkpoint' | 'stop'; readonly call: number }
  | { readonly type: 'take'; readonly batch: FoldBatch };

export type FromFolder =
  | { readonly type: 'answer'; readonly call: number; readonly result: Progress | null }
  | { readonly type: 'failure'; readonly call: number; readonly error: CrossingError }
  | { readonly type: 'progress' | 'restart'; readonly progress: Progress }
  | { readonly type: 'gaps'; readonly gaps: readonly Gap[] }
  | { readonly type: 'defect'; readonly detail: string }
  | { readonly type: 'retrying' | 'ended'; readonly error: CrossingError };

export interface CrossingError { readonly code: string; readonly message: string }
export type ThreadData = Omit<FolderOptions, 'seed'> & { readonly seed: Uint8Array };
