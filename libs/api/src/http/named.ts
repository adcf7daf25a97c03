import { etagOf, isKnown } from './etag';
import { refuse } from './problem';
import { ok, type Call, type Reply } from './route';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @throws Refusal INVALID_FIELD */
export function nameFor(call: Pick<Call, 'params'>, reserved: readonly string[] = []): string {
  const name = call.params['name'] ?? '';
  if (!NAME.test(name)) throw refuse('INVALID_FIELD', 'a name is 1 to 64 letters, digits, `.`, `_` and `-` and begins with a letter or digit', { parameter: 'name' });
  if (reserved.includes(name)) throw refuse('INVALID_FIELD', `\`${name}\` is a path of its own here: take another name`, { parameter: 'name' });
  return name;
}

/** A thing with its ETag, or 304 for who has it already. */
export const shown = (call: Pick<Call, 'headers'>, revision: number, body: object): Reply =>
  isKnown(call.headers, revision) ? { status: 304, headers: { etag: etagOf(revision) } } : ok(body, { etag: etagOf(revision) });

/** What `PUT` answers: 201 when new. */
export const putReply = (isNew: boolean, location: string, revision: number, body: object): Reply =>
  ({ status: isNew ? 201 : 200, body, headers: { etag: etagOf(revision), ...(isNew ? { location } : {}) } });
