import type { Problem } from '@aifirst/kernel';

export interface HttpAnswer { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }

const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json';

export const jsonAnswer = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpAnswer =>
  ({ status, headers: { 'content-type': JSON_TYPE, ...headers }, body: Buffer.from(JSON.stringify(body)) });

/** RFC 9457, in the form that the gateway gives. */
export function problemAnswer(status: number, { code, detail }: Problem, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const title = code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ');
  const document = { type: `urn:aifirst:problem:${code.toLowerCase().replaceAll('_', '-')}`, title, status, code, detail, errors: [{ code, detail }] };
  return jsonAnswer(status, document, { 'content-type': PROBLEM_TYPE, ...headers });
}

export const NOT_FOUND = problemAnswer(404, { code: 'NOT_FOUND', detail: 'there is no such path' });
