/** One thing that is wrong with a log. `index`: of the entry, as far as it can be told. */
export interface Finding { readonly code: string; readonly index: number | null; readonly detail: string }

/** What a verification found out. */
export interface Verification {
  /** Nothing is wrong. */
  readonly ok: boolean;
  readonly firstBadIndex: number | null;
  /** By index, at most a hundred. */
  readonly problems: readonly Finding[];
  readonly summary: VerificationSummary;
}
export interface VerificationSummary {
  readonly origin: string | null;
  /** Index of the first entry that was looked at; the ones before are covered by proofs alone. */
  readonly first: number;
  readonly entries: number;
  /** Of the newest checkpoint that holds. */
  readonly size: number;
  /** Base64. */
  readonly root: string | null;
  readonly checkpoints: number;
  /** The key that has signed it, and whether it was given from outside. */
  readonly vkey: string | null;
  readonly keyPinned: boolean;
  /** Per producer the first and the last number seen. */
  readonly producers: Readonly<Record<string, { readonly first: number; readonly last: number }>>;
  /** Steps whose chain from decision to outcome was followed. */
  readonly outcomes: number;
  /** Causes that lie before the first entry that was looked at. */
  readonly causesBefore: number;
  /** Causes in another service's log that may not have been folded yet when the log ended. */
  readonly causesPending: number;
}

const FINDINGS_MAX = 100;
/** What follows from an entry that is missing or changed elsewhere: it names the first bad one only where nothing else does. */
const CONSEQUENCES: readonly string[] = ['CAUSE_MISSING', 'SEQUENCE_GAP', 'SEQUENCE_REPEATED', 'REPEATED'];

export class Findings {
  readonly #list: Finding[] = [];
  #first: number | null = null;
  #firstConsequence: number | null = null;
  #count = 0;

  add(code: string, index: number | null, detail: string): void {
    this.#count++;
    if (index !== null && CONSEQUENCES.includes(code)) this.#firstConsequence = Math.min(index, this.#firstConsequence ?? index);
    else if (index !== null) this.#first = Math.min(index, this.#first ?? index);
    if (this.#list.length < FINDINGS_MAX) this.#list.push({ code, index, detail });
  }

  get count(): number { return this.#count; }

  /** As far as it is known by now. */
  get firstBadIndex(): number | null { return this.#first ?? this.#firstConsequence; }

  verification(summary: VerificationSummary): Verification {
    const problems = [...this.#list].sort((a, b) => (a.index ?? -1) - (b.index ?? -1));
    return { ok: this.#count === 0, firstBadIndex: this.firstBadIndex, problems, summary };
  }
}
