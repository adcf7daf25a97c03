export { aFact, workflowFacts, type FactParts } from './facts';
