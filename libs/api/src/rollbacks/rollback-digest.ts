import type { UndoPreviewAnswer } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';
import type { KeyScope, Vault } from '@aifirst/vault';
import type { Dependents } from './dependents';
import type { DoneStep } from './done-steps';

/** What a preview rests on, part by part, so that it can be said which of them has moved. */
export interface RollbackBasis { readonly steps: Json; readonly targets: Json; readonly dependents: Json }
const PARTS = ['steps', 'dependents', 'targets'] as const;
export type Part = (typeof PARTS)[number];

/** Half of each digest: 128 bits are left. */
const HEX = 32;
const PREFIX = 'hmac-sha256:';
const FORM = new RegExp(`^${PREFIX}[0-9a-f]{${PARTS.length * HEX}}$`);

export const isRollbackDigest = (digest: string): boolean => FORM.test(digest);

export const basisOf = (ordered: readonly DoneStep[], answers: ReadonlyMap<number, UndoPreviewAnswer>, { items, truncated }: Dependents): RollbackBasis => ({
  steps: ordered.map(({ plan: { id }, generation, status }) => [id, generation, status === 'undoBlocked' ? 'succeeded' : status]),
  targets: ordered.map(({ plan: { id }, index }) => { const answer = answers.get(index); return [id, answer === undefined ? null : 'error' in answer ? `none: ${answer.error.code}` : answer.digest]; }),
  dependents: [...items.map(({ workflow, step, kind, blocks }): Json => [workflow, step, kind, blocks]), truncated],
});

/** Keyed under the workflow: it gives nothing away of what was found. */
export async function digestOfBasis(vault: Pick<Vault, 'keyedDigest'>, scope: KeyScope, basis: RollbackBasis): Promise<string> {
  const digests = await Promise.all(PARTS.map(part => vault.keyedDigest(scope, { [part]: basis[part] })));
  return PREFIX + digests.map(digest => digest.slice(PREFIX.length, PREFIX.length + HEX)).join('');
}

/** Which parts differ between two digests. */
export const movedParts = (before: string, now: string): readonly Part[] =>
  PARTS.filter((_, index) => before.slice(PREFIX.length + index * HEX, PREFIX.length + (index + 1) * HEX) !== now.slice(PREFIX.length + index * HEX, PREFIX.length + (index + 1) * HEX));
