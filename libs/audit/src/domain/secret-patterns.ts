/**
 * Secrets that are unmistakable by their form, wherever they stand. Narrow on purpose: what is found is lost to the log,
 * and what may hold anything is sealed by its schema before it comes here.
 */
const FORMS: readonly { readonly hint: string; readonly pattern: RegExp }[] = [
  { hint: 'eyJ', pattern: /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g },
  { hint: 'aifirst_', pattern: /\baifirst_(?:[0-9a-f]{24}|admin)_[A-Za-z0-9_-]{20,}/g },
  { hint: 'PRIVATE KEY-----', pattern: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g },
  { hint: 'AKIA', pattern: /\bAKIA[0-9A-Z]{16}\b/g },
  { hint: 'ASIA', pattern: /\bASIA[0-9A-Z]{16}\b/g },
  { hint: 'gh', pattern: /\bgh[opsur]_[A-Za-z0-9]{36,}/g },
  { hint: 'github_pat_', pattern: /\bgithub_pat_[A-Za-z0-9_]{22,}/g },
  { hint: 'xox', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g },
  { hint: 'sk_live_', pattern: /\bsk_live_[A-Za-z0-9]{16,}/g },
  { hint: '://', pattern: /(?<=:\/\/[^\s:/@]*:)[^\s/@]+(?=@)/g },
];
const MARK = '[secret]';

export function holdsSecret(text: string): boolean {
  return FORMS.some(({ hint, pattern }) => text.includes(hint) && text.search(pattern) >= 0);
}

export function withoutSecrets(text: string): string {
  return FORMS.reduce((rest, { hint, pattern }) => (rest.includes(hint) ? rest.replace(pattern, MARK) : rest), text);
}
