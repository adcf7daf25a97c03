export { AUDIT_MIGRATIONS } from './audit-migrations';
export { AuditService, type AuditServiceOptions } from './audit-service';
export type { Gap } from './domain/sequencer';
export type { AskedFeed } from './folding/missing-facts';
export { NoteSigner } from './note-signer';
export { EXPORT_FORMAT } from './reading/exporter';
export * from './verify';
