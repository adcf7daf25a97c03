import { ALLOWED_CHANGES } from './corpus/allowed-changes';
import { ALLOWED_QUERIES } from './corpus/allowed-queries';
import { REFUSED_FUNCTIONS } from './corpus/refused-functions';
import { REFUSED_NAMES } from './corpus/refused-names';
import { REFUSED_STATEMENTS } from './corpus/refused-statements';

export type { AllowedCase, RefusedCase } from './corpus/corpus-case';
export { ALLOWED_SCRIPTS, REFUSED_SCRIPTS, type AllowedScript, type RefusedScript } from './corpus/scripts';
export { CORPUS_SCHEMA } from './corpus/corpus-schema';
export { ALLOWED_CHANGES, ALLOWED_QUERIES };

/** Every statement that must be turned away, at whatever door it comes in. */
export const REFUSED_CORPUS = [...REFUSED_STATEMENTS, ...REFUSED_FUNCTIONS, ...REFUSED_NAMES];
/** Every statement that must pass, on `CORPUS_SCHEMA`. */
export const ALLOWED_CORPUS = [...ALLOWED_QUERIES, ...ALLOWED_CHANGES];
