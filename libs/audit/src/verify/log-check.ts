import { decodeUtf8, isCanonical } from './canonical-text';
import { CausationCheck, type LoggedEvent } from './causation';
import type { Findings } from './findings';
import { GrownTree, hashLeaf } from './merkle-proofs';

/** Entries of one log, in order: their form, their producers' numbers, their causes, and the tree that they make. */
export class LogCheck {
  readonly tree = new GrownTree();
  readonly producers: Record<string, { first: number; last: number }> = Object.create(null) as Record<string, { first: number; last: number }>;
  readonly causation: CausationCheck;
  #entries = 0;

  /** @param first index of the first entry @param tenant whose log it is, as far as the log's name tells */
  constructor(private readonly findings: Findings, readonly first: number, private readonly tenant: string) {
    this.causation = new CausationCheck(findings, first === 0);
  }

  get entries(): number { return this.#entries; }

  /** @param text the leaf's bytes as text, known to be JCS @returns its leaf hash */
  push(text: string): Buffer {
    const index = this.first + this.#entries++;
    const leafHash = hashLeaf(text);
    this.tree.push(leafHash);
    const event = eventOf(text);
    if (event === null) { this.findings.add('NOT_AN_EVENT', index, `entry ${index} is not an event with a number of its producer`); return leafHash; }
    if (event.tenant !== this.tenant) this.findings.add('OTHER_TENANT', index, `entry ${index} is of tenant \`${event.tenant}\``);
    this.#number(index, event);
    this.causation.push(index, event);
    return leafHash;
  }

  /** As `push`, for bytes of which nothing is known. */
  pushBytes(bytes: Uint8Array): Buffer {
    const text = decodeUtf8(bytes);
    if (text !== null && isCanonical(text)) return this.push(text);
    const index = this.first + this.#entries++;
    this.findings.add('NOT_CANONICAL', index, `entry ${index} is not in JCS form`);
    const leafHash = hashLeaf(bytes);
    this.tree.push(leafHash);
    return leafHash;
  }

  /** Every producer's numbers go on by one, or say which number of this log comes before: those between are in other tenants' logs. */
  #number(index: number, { producer, sequence, priorsequence }: LoggedEvent): void {
    const known = this.producers[producer];
    if (known === undefined) {
      this.producers[producer] = { first: sequence, last: sequence };
      if (this.first > 0) return;
    }
    const last = known?.last ?? 0;
    if (known !== undefined) known.last = sequence;
    const goesOn = priorsequence === undefined ? sequence === last + 1 : priorsequence === last && sequence > last + 1;
    if (!goesOn) this.findings.add(sequence <= last ? 'SEQUENCE_REPEATED' : 'SEQUENCE_GAP', index, `entry ${index}: \`${producer}\` goes on from ${last} to ${sequence}`);
  }
}

/** @returns null where it lacks what every entry has */
function eventOf(text: string): LoggedEvent | null {
  const event = JSON.parse(text) as Partial<LoggedEvent> | null;
  if (typeof event !== 'object' || event === null) return null;
  const { id, type, time, subject, tenant, producer, sequence, causationid, priorsequence } = event;
  const areTexts = [id, type, time, subject, tenant, producer].every(value => typeof value === 'string') && (causationid === undefined || typeof causationid === 'string');
  const areNumbers = Number.isSafeInteger(sequence) && sequence! > 0 && (priorsequence === undefined || (Number.isSafeInteger(priorsequence) && priorsequence >= 0));
  return areTexts && areNumbers ? event as LoggedEvent : null;
}
