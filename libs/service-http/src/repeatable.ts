import type { AdapterQuestions, AuditQuestions, DeadLetterQuestions, GatewayQuestions, LogQuestions, OrchestratorQuestions, PolicyQuestions } from '@aifirst/contracts';

type Question = keyof GatewayQuestions | keyof OrchestratorQuestions | keyof PolicyQuestions | keyof AdapterQuestions | keyof AuditQuestions | keyof DeadLetterQuestions | keyof LogQuestions;

/** Questions that change nothing, or nothing more when they are asked again: one whose answer was lost is asked of the next copy. */
const REPEATABLE: readonly Question[] = [
  'connection', 'task', 'findTask', 'withdrawTask', 'undoTask',
  'facts', 'workflowHeads', 'inUse', 'locks',
  'getRole', 'listRoles', 'missingRoles', 'getPolicy', 'listPolicies', 'validatePolicy', 'policySchema', 'getKillSwitch', 'listKillSwitches', 'applyPrincipal', 'controlState', 'decidePlan',
  'capabilities', 'probeConnection', 'preview', 'previewUndo', 'sqlHeldUntil', 'takeOver',
  'entries', 'entry', 'checkpoint', 'tile', 'inclusionProof', 'consistencyProof', 'keys', 'export', 'foldedUpTo',
  'deadLetters',
  'logHead', 'readLog',
];

const NAMES: ReadonlySet<string> = new Set(REPEATABLE);
export const isRepeatable = (question: string): boolean => NAMES.has(question);
