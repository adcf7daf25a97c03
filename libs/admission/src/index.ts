export { admitIntent, type Admission, type AdmissionContext } from './admit-intent';
export { withCommitment } from './commitment';
export { canonicalDigest } from './digest';
export { prepareCapability } from './input-schema';
export { prepareAdmission } from './sql-input';
export { pathProblem } from './path-grammar';
export { parseStrictJson, type Parsed } from './strict-json';
export * from './limits';
