export { verifyExport, type VerifyOptions } from './verify-export';
export { verifyServer, type Fetch, type SeenLog, type VerifyServerOptions } from './verify-server';
export { parseVkey } from './signed-note';
export type { Finding, Verification, VerificationSummary } from './findings';
