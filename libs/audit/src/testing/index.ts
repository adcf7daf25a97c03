export { aFact, FACTS_PER_WORKFLOW, workflowFacts, type FactParts } from './facts';
export { AUDIT_SCHEMA, AuditStand, migrateAudit, TEST_KEY } from './audit-stand';
export { ServedLog } from './served-log';
