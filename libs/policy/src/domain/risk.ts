import type { AskedStep, Reversibility, Risk, RiskFactor, RiskLevel, StepHints } from '@aifirst/contracts';

/** A factor as it is documented: what it looks at, and how much of its weight each finding counts. docs/risk.md is held to this. */
export interface FactorRule { readonly factor: string; readonly weight: number; readonly findings: readonly { readonly when: string; readonly value: number }[] }

export const RISK_FACTORS = [
  { factor: 'reversibility', weight: 80, findings: [{ when: 'readOnly', value: 0 }, { when: 'reversible', value: 0.25 }, { when: 'compensable', value: 0.625 }, { when: 'irreversible', value: 1 }] },
  { factor: 'reach', weight: 20, findings: [{ when: 'up to 10', value: 0 }, { when: 'up to 100', value: 0.25 }, { when: 'up to 1,000', value: 0.5 }, { when: 'up to 10,000', value: 0.75 }, { when: 'more', value: 1 }] },
  { factor: 'statement', weight: 30, findings: [{ when: 'bounded', value: 0 }, { when: 'delete or merge', value: 0.2 }, { when: 'recursive', value: 0.5 }, { when: 'truncate', value: 1 }, { when: 'unbounded', value: 1 }] },
  { factor: 'environment', weight: 20, findings: [{ when: 'any other, or none', value: 0 }, { when: 'prod or production', value: 1 }] },
  { factor: 'novelty', weight: 5, findings: [{ when: 'used before', value: 0 }, { when: 'first use', value: 1 }] },
] as const satisfies readonly FactorRule[];

/** A score below `below` has the level; the last has all that is left. */
export const RISK_LEVELS: readonly { readonly level: RiskLevel; readonly below: number }[] = [
  { level: 'low', below: 30 }, { level: 'medium', below: 60 }, { level: 'high', below: 90 }, { level: 'critical', below: Infinity },
];

type FactorName = (typeof RISK_FACTORS)[number]['factor'];
type FindingOf<F extends FactorName> = Extract<(typeof RISK_FACTORS)[number], { readonly factor: F }>['findings'][number]['when'];

function found<F extends FactorName>(factor: F, when: FindingOf<F>): RiskFactor {
  const { weight, findings } = RISK_FACTORS.find(rule => rule.factor === factor)!;
  return { factor, weight, value: findings.find(finding => finding.when === when)!.value };
}

const sumOf = (factors: readonly RiskFactor[]): number => Math.round(factors.reduce((sum, { weight, value }) => sum + weight * value, 0));
function riskFrom(all: readonly RiskFactor[]): Risk {
  const factors = all.filter(({ value }) => value > 0);
  const score = sumOf(factors);
  return { level: RISK_LEVELS.find(({ below }) => score < below)!.level, score, factors };
}

/** What most steps have, made once. */
const PLAIN: Readonly<Record<Reversibility, Risk>> = {
  readOnly: riskFrom([found('reversibility', 'readOnly')]), reversible: riskFrom([found('reversibility', 'reversible')]),
  compensable: riskFrom([found('reversibility', 'compensable')]), irreversible: riskFrom([found('reversibility', 'irreversible')]),
};

/** The risk of a step: a sum, of which the factors that add something are shown. @param isNovel the principal has not used this capability on this connection before */
export function weigh(step: AskedStep, isNovel: boolean): Risk {
  const plain = PLAIN[step.reversibility];
  const more = [reachOf(step.reach ?? step.resources.length), statementOf(step.hints), environmentOf(step.environment), ...(isNovel ? [NOVEL] : [])].filter(factor => factor !== null);
  return more.length === 0 ? plain : riskFrom([...plain.factors!, ...more]);
}

const NOVEL = found('novelty', 'first use');
const PRODUCTION = found('environment', 'prod or production');

function reachOf(count: number): RiskFactor | null {
  if (count <= 10) return null;
  return found('reach', count <= 100 ? 'up to 100' : count <= 1_000 ? 'up to 1,000' : count <= 10_000 ? 'up to 10,000' : 'more');
}

/** The worst of what is found. */
function statementOf(hints: StepHints | undefined): RiskFactor | null {
  if (hints === undefined) return null;
  if (hints.unbounded === true) return found('statement', 'unbounded');
  if (hints.statement === 'truncate') return found('statement', 'truncate');
  if (hints.recursive === true) return found('statement', 'recursive');
  return hints.statement === 'delete' || hints.statement === 'merge' ? found('statement', 'delete or merge') : null;
}

const environmentOf = (label: string | undefined): RiskFactor | null => (label !== undefined && /^prod(uction)?$/i.test(label) ? PRODUCTION : null);
