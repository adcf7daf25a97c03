import ts from 'typescript';
import { importsOf, isTestSupport, nodesOf, parsed, SOURCES } from './repository';

/** The rules of the system: what they know of time, chance and the world comes in with their input. */
const RULES = SOURCES.filter(path => !isTestSupport(path) && (/^libs\/[^/]+\/src\/domain\//.test(path) || /^libs\/(kernel|contracts)\/src\//.test(path)));

const IMPURE = ['Date.now', 'Math.random', 'performance.now', 'performance.timeOrigin', 'crypto.randomUUID', 'crypto.getRandomValues'];
const OF_THE_WORLD = ['process', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'console', 'require', 'Worker'];
/** Pure functions of others that a rule may use. */
const PURE_PACKAGES = ['canonicalize'];

function impurities(path: string): readonly string[] {
  const found: string[] = [];
  for (const node of nodesOf(parsed(path))) {
    if (ts.isPropertyAccessExpression(node) && IMPURE.includes(node.getText())) found.push(node.getText());
    if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0) found.push('new Date()');
    if (ts.isCallExpression(node) && node.expression.getText() === 'Date') found.push('Date()');
    if (ts.isIdentifier(node) && OF_THE_WORLD.includes(node.text) && isFreeName(node)) found.push(node.text);
    if (ts.isAwaitExpression(node) || (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword))) found.push('async');
  }
  return found.map(what => `${path}: ${what}`);
}

/** Not the name of a field, a parameter or a key that happens to be spelled so. */
function isFreeName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return !ts.isPropertyAssignment(parent) && !ts.isPropertySignature(parent) && !ts.isParameter(parent) && !ts.isFunctionDeclaration(parent) && !ts.isVariableDeclaration(parent);
}

describe('the rules of the system', () => {
  it('are there to be checked', () => { expect(RULES.length).toBeGreaterThan(20); });

  it.each(['libs/orchestration', 'libs/policy', 'libs/contracts', 'libs/kernel'])('use no clock, no chance and nothing of the world in %s', project => {
    expect(RULES.filter(path => path.startsWith(`${project}/`)).flatMap(impurities)).toEqual([]);
  });

  it('import the kernel, the contracts, one another and nothing else', () => {
    const foreign = RULES.flatMap(importsOf).filter(({ from, specifier, to }) => {
      if (to === null) return !PURE_PACKAGES.includes(specifier);
      return !/^libs\/(kernel|contracts)\//.test(to) && !(to.startsWith(from.split('/').slice(0, 3).join('/')) && (to.includes('/domain/') || /^libs\/(kernel|contracts)/.test(from)));
    });
    expect(foreign.map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });
});
