import { refuse } from './problem';

type Headers = Readonly<Record<string, string | undefined>>;

export const etagOf = (revision: number): string => `"${revision}"`;

/**
 * What `If-Match` and `If-None-Match: *` ask for, as a revision: 0 = must be new, undefined = whatever is there.
 * @param current revision of what is there, null: nothing
 * @throws Refusal PRECONDITION_FAILED
 */
export async function expectedRevision(headers: Headers, current: () => Promise<number | null> | number | null): Promise<number | undefined> {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match === undefined && noneMatch === undefined) return undefined;
  const revision = await current();
  if (noneMatch !== undefined && revision !== null && listed(noneMatch, revision, true)) throw failed(revision);
  if (match !== undefined && (revision === null || !listed(match, revision, false))) throw failed(revision);
  return revision ?? 0;
}

/** Has the caller this already (`If-None-Match` on a read)? */
export const isKnown = (headers: Headers, revision: number): boolean => headers['if-none-match'] !== undefined && listed(headers['if-none-match'], revision, true);

/** RFC 9110, 13.1: `If-Match` compares strongly, `If-None-Match` weakly. */
function listed(header: string, revision: number, weak: boolean): boolean {
  return header.split(',').map(tag => tag.trim()).some(tag => tag === '*' || tag === etagOf(revision) || (weak && tag === `W/${etagOf(revision)}`));
}

const failed = (revision: number | null) =>
  refuse('PRECONDITION_FAILED', revision === null ? 'there is no such thing yet' : `it is at revision ${revision} now`, { revision: revision ?? 0 });
