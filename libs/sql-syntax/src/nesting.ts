export interface Token { readonly text: string; readonly tokenName: string }

/**
 * Words of one chain without a comma, over all brackets that are open. The parser bears 3,000 levels of
 * the worst kind; a bracket behind a comma is a level by one word.
 */
const CHAIN_MAX = 2_500;

/**
 * An upper bound of how deep the tree of these tokens can be, held against what the parser bears. What stands on both sides of a comma is
 * side by side, except where UNION and its kin join lists.
 */
export function nestsTooDeep(tokens: readonly Token[]): boolean {
  const outer: number[] = [];
  let joined = 0;
  let below = 0;
  let chain = 0;
  for (const { text } of tokens) {
    if (text === ',' || text === ';') { chain = 0; continue; }
    chain++;
    if (text === '(' || text === '[') {
      outer.push(chain);
      below += chain;
      chain = 0;
    } else if ((text === ')' || text === ']') && outer.length > 0) {
      chain = outer.pop() ?? 0;
      below -= chain;
    } else if (/^(union|intersect|except)$/i.test(text)) joined++;
    if (below + chain + joined > CHAIN_MAX) return true;
  }
  return false;
}
