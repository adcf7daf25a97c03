import { Worker, type WorkerOptions } from 'node:worker_threads';
import { OperationalError } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import type { Folder, FoldBatch, FolderEvents, FolderOptions, Progress } from './folder';
import type { CrossingError, FromFolder, ThreadData, ToFolder } from './thread-messages';

/** What folds: in a thread of its own, or in this one. */
export type Folding = Pick<Folder, 'open' | 'take' | 'flush' | 'checkpoint' | 'stop'>;

const errorOf = ({ code, message }: CrossingError): Error => (code === 'FENCED' ? new Fenced('audit', 0, message) : new OperationalError(code, message));

/** A `Folder` in a worker thread: hashing and deflating take no time from those who wait for an answer. */
export class ThreadFolder implements Folding {
  readonly #worker: Worker;
  readonly #calls = new Map<number, { resolve(result: Progress | null): void; reject(error: Error): void }>();
  #lastCall = 0;
  #ended = false;

  /** @param file the compiled `audit-worker` */
  constructor(file: string, options: FolderOptions, private readonly events: FolderEvents, workerOptions: Pick<WorkerOptions, 'execArgv'> = {}) {
    this.#worker = new Worker(file, { ...workerOptions, name: 'audit', workerData: { ...options, seed: new Uint8Array(options.seed) } satisfies ThreadData });
    this.#worker.on('message', (message: FromFolder) => { this.#hear(message); });
    this.#worker.on('error', error => { this.#end(error instanceof Error ? error : new Error(String(error))); });
    this.#worker.on('exit', code => { this.#end(new OperationalError('AUDIT_FAILED', `the folding thread ended with ${code}`)); });
  }

  async open(): Promise<Progress> { return (await this.#call('open'))!; }
  take(batch: FoldBatch): void { this.#say({ type: 'take', batch }); }
  async flush(): Promise<void> { await this.#call('flush'); }
  async checkpoint(): Promise<void> { await this.#call('checkpoint'); }
  async stop(): Promise<void> {
    try {
      if (!this.#ended) await this.#call('stop');
    } finally {
      this.#ended = true;
      await this.#worker.terminate();
    }
  }

  #call(type: 'open' | 'flush' | 'checkpoint' | 'stop'): Promise<Progress | null> {
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#say({ type, call });
    });
  }

  #say(message: ToFolder): void { this.#worker.postMessage(message); }

  #hear(message: FromFolder): void {
    switch (message.type) {
      case 'answer': this.#settle(message.call)?.resolve(message.result); return;
      case 'failure': this.#settle(message.call)?.reject(errorOf(message.error)); return;
      case 'progress': this.events.onProgress(message.progress); return;
      case 'restart': this.events.onRestart(message.progress); return;
      case 'gaps': this.events.onGaps(message.gaps); return;
      case 'defect': this.events.onDefect(message.detail); return;
      case 'retrying': this.events.onRetrying(errorOf(message.error)); return;
      case 'ended': this.events.onEnded(errorOf(message.error)); return;
    }
  }

  #settle(call: number) {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    return waiting;
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const waiting of this.#calls.values()) waiting.reject(error);
    this.#calls.clear();
    this.events.onEnded(error);
  }
}
