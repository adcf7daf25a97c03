export type { CedarEngine } from './domain/cedar-engine';
export { LEASE_MS } from './domain/decide-plan';
export { RISK_FACTORS, RISK_LEVELS, weigh, type FactorRule } from './domain/risk';
export { projectInput, Unprojectable } from './domain/projection';
export { PolicyService, type PolicyServiceOptions } from './application/policy-service';
export { CEDAR_V8_FLAG, WasmCedarEngine } from './infrastructure/wasm-cedar-engine';
export { answerQuestions, answersOf, POLICY_GROUP, PolicyModule, subscriptionOf } from './infrastructure/policy-module';
