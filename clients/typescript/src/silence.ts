/** No answer, or not all of it: what was sent may have been taken or not. */
export class Broken extends Error {}

export interface Silence {
  /** Aborts when it has been silent for too long, or whoever called does not want it any more. */
  readonly signal: AbortSignal;
  /** @throws Broken; the reason of the caller's signal */
  within<T>(promise: Promise<T>): Promise<T>;
  /** Of a body; each of its chunks ends the silence. */
  reader(body: ReadableStream<Uint8Array> | null): { next(): Promise<Uint8Array | null>; close(): void };
  /** Nothing is waited for any more. */
  end(): void;
}

/** How long it may be silent, and that the caller may end it. */
export function timed(silenceMs: number, caller: AbortSignal | undefined): Silence {
  caller?.throwIfAborted();
  const controller = new AbortController();
  const stop = (): void => { controller.abort(caller!.reason); };
  caller?.addEventListener('abort', stop, { once: true });
  const late = (): void => { controller.abort(new Broken(`silent for ${Math.round(silenceMs) / 1_000} s`)); };
  let timer = setTimeout(late, silenceMs);
  const end = (): void => { clearTimeout(timer); caller?.removeEventListener('abort', stop); };
  const again = (): void => { clearTimeout(timer); timer = setTimeout(late, silenceMs); };

  const within = async <T>(promise: Promise<T>): Promise<T> => {
    // Why the race: not every `fetch` minds its signal.
    let give: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => { give = () => { reject(controller.signal.reason as Error); }; controller.signal.addEventListener('abort', give, { once: true }); if (controller.signal.aborted) give(); });
    try {
      return await Promise.race([promise, aborted]);
    } catch (error) {
      if (caller?.aborted === true) throw caller.reason;
      if (controller.signal.aborted) throw controller.signal.reason;
      throw new Broken(wordsOf(error), { cause: error });
    } finally {
      controller.signal.removeEventListener('abort', give);
      promise.catch(() => undefined);
    }
  };

  const reader: Silence['reader'] = body => {
    const reading = body?.getReader();
    const close = (): void => { end(); controller.abort(new Broken('closed')); reading?.cancel().catch(() => undefined); };
    return {
      close,
      async next() {
        again();
        const found = await (reading === undefined ? Promise.resolve({ done: true as const, value: undefined }) : within(reading.read()));
        if (!found.done) return found.value;
        close();
        return null;
      },
    };
  };
  return { signal: controller.signal, within, reader, end };
}

/** Of what `fetch` throws: its own message is "fetch failed", what happened is its cause. */
function wordsOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const { code, message } = (cause ?? error) as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : typeof message === 'string' && message !== '' ? message : 'the connection broke';
}

/** @throws the reason of `signal` */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) { reject(signal.reason as Error); return; }
    const stop = (): void => { clearTimeout(timer); reject(signal!.reason as Error); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

export const now = (): number => performance.now();
