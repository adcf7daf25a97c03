import type { Draft } from '@aifirst/contracts';
import { TOPICS, eventType } from '@aifirst/contracts';
import type { Writing } from './document-registry';

/** What was refused, without what was sent. */
export interface RefusedCall {
  readonly kind: 'credential' | 'access' | 'intent';
  readonly tenant: string;
  /** Who: the address of a caller without a credential, else the principal's id. */
  readonly source: string;
  readonly code: string;
  /** `METHOD /route/:pattern`, or the detail of a refused intent. */
  readonly detail: string;
}

const WINDOW_MS = 60_000;
/** Different refusals remembered at once: beyond it they share one count, so that nobody can fill memory or log. */
const KINDS_MAX = 1_000;
const DETAIL_CHARS_MAX = 300;
const OVERFLOW = 'various';

interface Fold { readonly call: RefusedCall; readonly since: number; count: number }

/**
 * Records refusals as facts: the first of its kind at once, those that follow within a minute as one fact with their
 * number. Never waited for: a refusal is answered whether or not it could be recorded.
 */
export class RefusalRecorder {
  private readonly folds = new Map<string, Fold>();
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly writing: Writing, private readonly onFailure: (error: unknown) => void = () => {}) {}

  record(refused: RefusedCall): void {
    const call = { ...refused, detail: refused.detail.slice(0, DETAIL_CHARS_MAX) };
    const key = JSON.stringify([call.kind, call.tenant, call.source, call.code, call.detail]);
    const known = this.folds.get(key);
    if (known !== undefined) { known.count++; return; }
    if (this.folds.size >= KINDS_MAX) { this.countOverflow(call); return; }
    this.begin(key, call, 0);
    this.write(call, 1);
  }

  /** Writes what is counted so far; called every minute and when the gateway ends. */
  flush(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    const folds = [...this.folds.values()];
    this.folds.clear();
    for (const { call, count } of folds) if (count > 0) this.write(call, count);
  }

  private countOverflow(call: RefusedCall): void {
    const key = `${OVERFLOW}/${call.kind}`;
    const known = this.folds.get(key);
    if (known !== undefined) known.count++;
    else this.begin(key, { ...call, tenant: call.tenant, source: OVERFLOW, code: OVERFLOW, detail: 'more kinds of refusals than are told apart within a minute' }, 1);
  }

  private begin(key: string, call: RefusedCall, count: number): void {
    const since = this.writing.clock.now();
    this.folds.set(key, { call, since, count });
    this.cancelTimer ??= this.writing.clock.after(WINDOW_MS, () => { this.cancelTimer = null; this.flush(); });
  }

  private write(call: RefusedCall, count: number): void {
    const { writer, ids } = this.writing;
    writer.append({ tenant: call.tenant, stream: ids.uuid(), version: 1, messages: [this.draft(call, count)] }).catch(this.onFailure);
  }

  private draft({ kind, tenant, source, code, detail }: RefusedCall, count: number): Draft {
    const { clock, ids } = this.writing;
    return {
      topic: kind === 'intent' ? TOPICS.intentEvents : TOPICS.identityEvents, key: source, id: ids.uuid(), type: eventType(kind, 'Refused'),
      time: new Date(clock.now()).toISOString(), subject: source, tenant, data: { code, detail, source, count },
    };
  }
}
