import { isObject, type JsonObject } from '@aifirst/kernel';
import { pointerToken, type Mode, type OnFailure } from '@aifirst/contracts';
import { GOAL_BYTES_MAX, LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, SUBJECT_BYTES_MAX, SUBJECTS_MAX } from './limits';
import { bytesOf } from './path-grammar';
import type { Problems } from './problems';

/** Readers of single fields: each gives a value to go on with, and notes what was wrong with the one sent. */

const UNSTORABLE = /\u0000|\p{Surrogate}/u;

export function unknownFields(fields: JsonObject, known: ReadonlySet<string>, base: string, problems: Problems): void {
  for (const key in fields) if (!known.has(key)) problems.add('UNKNOWN_FIELD', `${base}/${pointerToken(key)}`, `there is no field \`${shortened(key)}\` here`);
}
const shortened = (key: string): string => (key.length > 64 ? `${key.slice(0, 64)}…` : key);

function readText(value: unknown, bytesMax: number, pointer: string, what: string, problems: Problems): string {
  if (value === undefined) problems.add('INVALID_FIELD', pointer, `${what} is required`);
  else if (typeof value !== 'string') problems.add('INVALID_FIELD', pointer, `${what} is a string`);
  else if (value === '') problems.add('INVALID_FIELD', pointer, `${what} is not empty`);
  else if (bytesOf(value) > bytesMax) problems.add('INVALID_FIELD', pointer, `${what} is at most ${bytesMax} bytes`);
  else if (UNSTORABLE.test(value)) problems.add('INVALID_FIELD', pointer, `${what} holds a NUL or a lone surrogate`);
  else return value;
  return '';
}

export const readGoal = (value: unknown, problems: Problems): string => readText(value, GOAL_BYTES_MAX, '/goal', 'the goal', problems);

export function readWhole(value: unknown, bounds: { readonly min: number; readonly max: number; readonly default: number }, pointer: string, problems: Problems): number {
  if (value === undefined) return bounds.default;
  if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) return value as number;
  problems.add('INVALID_FIELD', pointer, `is a whole number from ${bounds.min} to ${bounds.max}`);
  return bounds.default;
}

export function readMode(value: unknown, problems: Problems): Mode {
  if (value === 'atomic') return 'atomic';
  if (value !== undefined && value !== 'saga') problems.add('INVALID_FIELD', '/mode', 'is `saga` or `atomic`');
  return 'saga';
}

export function readOnFailure(value: unknown, mode: Mode, problems: Problems): OnFailure {
  if (value === undefined) return 'rollback';
  if (mode === 'atomic' && (value === 'pause' || value === 'keep')) {
    problems.add('INVALID_FIELD', '/onFailure', 'is `rollback` in mode `atomic`, which is all or nothing; mode `saga` can pause or keep');
    return 'rollback';
  }
  if (value === 'rollback' || value === 'pause' || value === 'keep') return value;
  problems.add('INVALID_FIELD', '/onFailure', 'is `rollback`, `pause` or `keep`');
  return 'rollback';
}

export function readLabels(value: unknown, problems: Problems): Readonly<Record<string, string>> {
  if (value === undefined) return NO_LABELS;
  if (!isObject(value)) { problems.add('INVALID_FIELD', '/labels', 'is an object of strings'); return NO_LABELS; }
  const entries = Object.entries(value);
  if (entries.length > LABELS_MAX) problems.add('INVALID_FIELD', '/labels', `has at most ${LABELS_MAX} labels`);
  for (const [name, text] of entries.slice(0, LABELS_MAX)) {
    const pointer = `/labels/${pointerToken(name)}`;
    if (name === '' || bytesOf(name) > LABEL_NAME_BYTES_MAX || UNSTORABLE.test(name)) problems.add('INVALID_FIELD', pointer, `a label's name has 1 to ${LABEL_NAME_BYTES_MAX} bytes and no NUL`);
    if (text !== '') readText(text, LABEL_VALUE_BYTES_MAX, pointer, 'a label', problems);
  }
  return value as Readonly<Record<string, string>>;
}
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

export function readSubjects(value: unknown, problems: Problems): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > SUBJECTS_MAX) { problems.add('INVALID_FIELD', '/subjects', `is a list of at most ${SUBJECTS_MAX} strings`); return []; }
  return value.map((subject: unknown, index) => readText(subject, SUBJECT_BYTES_MAX, `/subjects/${index}`, 'a subject', problems));
}

const PARENT_CHARS_MAX = 200;

export function readParent(value: unknown, problems: Problems): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value !== '' && value.length <= PARENT_CHARS_MAX) return value;
  problems.add('INVALID_FIELD', '/parent', 'is the token of a task, as its claim was answered');
  return null;
}

export function readTenant(value: unknown, problems: Problems): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value !== '') return value;
  problems.add('INVALID_FIELD', '/tenant', 'is the name of a tenant');
  return null;
}
