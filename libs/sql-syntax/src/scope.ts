/** Names of WITH that hold at a place of the statement: the innermost first. */
export interface Scope { readonly names: ReadonlySet<string>; readonly outer: Scope | null }

export function isInScope(name: string, scope: Scope | null): boolean {
  for (let at = scope; at !== null; at = at.outer) if (at.names.has(name)) return true;
  return false;
}
