import { CannotDo } from '@aifirst/execution';
import type { DatabaseError } from 'pg';

/** Why a statement failed, without a word of what it held. `isDefinite`: the server said no; else nobody knows what it did. */
export interface Failure { readonly code: string; readonly detail: string; readonly isDefinite: boolean; readonly sqlstate: string | null }

const NAMES: Readonly<Record<string, string>> = {
  '22001': 'a text is too long', '22003': 'a number is out of range', '22007': 'a date or time does not read as one', '22008': 'a date or time is out of range',
  '22012': 'division by zero', '22P02': 'a value does not read as its type', '22P05': 'a character can\'t be translated', '22021': 'a text holds what is no character there',
  '23001': 'a row is still referred to', '23502': 'a value is missing', '23503': 'a row refers to one that is not there, or is still referred to',
  '23505': 'a value must be unique and is there already', '23514': 'a check does not hold', '23P01': 'a row overlaps another',
  '40001': 'others changed the same rows at the same time', '40P01': 'it and others waited for each other', '55P03': 'others hold the rows or the table',
  '57014': 'it took too long', '42501': 'the role for agents has no right to do that', '25006': 'it would write where only reading is allowed', P0001: 'a trigger or function of the database refused it',
};
const CODES: Readonly<Record<string, string>> = { '55P03': 'LOCKED', '57014': 'TIMEOUT', '42501': 'FORBIDDEN' };
const NODE_CODE = /^E[A-Z0-9]{2,20}$/;

export const isDatabaseError = (error: unknown): error is DatabaseError =>
  error instanceof Error && typeof (error as { severity?: unknown }).severity === 'string' && typeof (error as { code?: unknown }).code === 'string';

/** One of several statements that failed, for what `cause` says. */
export class StatementFailed extends Error {
  constructor(readonly place: string, override readonly cause: unknown) { super(place, { cause }); }
}

/** Names the state, the table, column and constraint; a message of PostgreSQL may quote values. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StatementFailed) {
    const failure = failureOf(error.cause);
    return { ...failure, detail: `${error.place}: ${failure.detail}` };
  }
  if (error instanceof CannotDo) return { code: error.code, detail: error.message, isDefinite: true, sqlstate: null };
  if (!isDatabaseError(error)) {
    const code = (error as { code?: unknown } | null)?.code;
    return { code: 'CONNECTION_LOST', detail: `the connection to the database failed${typeof code === 'string' && NODE_CODE.test(code) ? ` (${code})` : ''}`, isDefinite: false, sqlstate: null };
  }
  const sqlstate = error.code ?? 'XX000';
  const isLost = error.severity === 'FATAL' || error.severity === 'PANIC' || sqlstate.startsWith('08') || sqlstate.startsWith('57P');
  const places = [['table', error.table === undefined ? undefined : `${error.schema ?? ''}.${error.table}`], ['column', error.column], ['constraint', error.constraint]]
    .flatMap(([kind, name]) => (name === undefined ? [] : [`${kind} \`${name}\``])).join(', ');
  // Why: these messages are made of the statement's own names, unless a function of the database ran the statement that failed.
  const ownWords = /^42(?!501)/.test(sqlstate) && error.where === undefined ? error.message : NAMES[sqlstate] ?? 'the database refused it';
  return { code: CODES[sqlstate] ?? (isLost ? 'CONNECTION_LOST' : 'SQL_ERROR'), detail: `${ownWords}${places === '' ? '' : ` (${places})`} [${sqlstate}]`, isDefinite: !isLost, sqlstate };
}
