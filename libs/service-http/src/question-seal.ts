import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { invariant } from '@aifirst/kernel';

export const QUESTION_HEADER = 'aifirst-question';
export const ANSWER_HEADER = 'aifirst-answer';
/** Stands for the process that is asked while its name is not known yet. */
export const UNKNOWN_INSTANCE = '-';

const KEY_LABEL = 'aifirst questions between processes v1';
const KEY_BYTES = 32, KEY_BYTES_MIN = 32, NONCE_BYTES = 16;
const QUESTION = /^v1 (\d{1,16}) ([A-Za-z0-9_-]{22}) ([A-Za-z0-9_-]{22}|-) ([A-Za-z0-9_-]{43}) ([A-Za-z0-9_-]{43})$/;
const ANSWER = /^v1 ([A-Za-z0-9_-]{43})$/;

/** What a question's header says. Nothing of it counts before `hasSealed`. */
export interface SealedQuestion {
  /** The asker's clock, ms since 1970. */
  readonly at: number;
  readonly nonce: string;
  /** The process that is meant, by the name it gave itself at its start. */
  readonly instance: string;
  /** SHA-256 of the body, base64url. */
  readonly digest: string;
  readonly mac: string;
}

export const newNonce = (): string => randomBytes(NONCE_BYTES).toString('base64url');
export const digestOf = (body: Buffer): string => createHash('sha256').update(body).digest('base64url');

/** Shows who asks and who answers: HMAC-SHA256 under a key derived from the service key. */
export class QuestionSeal {
  readonly #key: Buffer;

  /** @param serviceKey the bytes of SERVICE_KEY_FILE, at least 32 */
  constructor(serviceKey: Uint8Array) {
    invariant(serviceKey.length >= KEY_BYTES_MIN, `a service key has at least ${KEY_BYTES_MIN} bytes`);
    this.#key = Buffer.from(hkdfSync('sha256', serviceKey, '', KEY_LABEL, KEY_BYTES));
  }

  /** @returns the header's value */
  sealQuestion(path: string, { at, nonce, instance, digest }: Omit<SealedQuestion, 'mac'>): string {
    return `v1 ${at} ${nonce} ${instance} ${digest} ${this.#macOfQuestion(path, { at, nonce, instance, digest }).toString('base64url')}`;
  }

  hasSealed(path: string, question: SealedQuestion): boolean { return same(question.mac, this.#macOfQuestion(path, question)); }

  /** @param nonce the question's: an answer is to that question alone */
  sealAnswer(nonce: string, status: number, body: Buffer): string { return `v1 ${this.#macOfAnswer(nonce, status, body).toString('base64url')}`; }

  hasSealedAnswer(header: string | undefined, nonce: string, status: number, body: Buffer): boolean {
    const mac = ANSWER.exec(header ?? '')?.[1];
    return mac !== undefined && same(mac, this.#macOfAnswer(nonce, status, body));
  }

  #macOfQuestion(path: string, { at, nonce, instance, digest }: Omit<SealedQuestion, 'mac'>): Buffer {
    return this.#mac(['question', 'POST', path, String(at), nonce, instance, digest]);
  }
  #macOfAnswer(nonce: string, status: number, body: Buffer): Buffer { return this.#mac(['answer', nonce, String(status), digestOf(body)]); }
  /** No part holds a line's end, so that no two lists make one text. */
  #mac(parts: readonly string[]): Buffer { return createHmac('sha256', this.#key).update(parts.join('\n')).digest(); }
}

/** @returns null for what is not of the form */
export function readQuestionHeader(header: string | string[] | undefined): SealedQuestion | null {
  const form = typeof header === 'string' ? QUESTION.exec(header) : null;
  return form === null ? null : { at: Number(form[1]), nonce: form[2]!, instance: form[3]!, digest: form[4]!, mac: form[5]! };
}

function same(given: string, mac: Buffer): boolean {
  const bytes = Buffer.from(given, 'base64url');
  return bytes.length === mac.length && timingSafeEqual(bytes, mac);
}
