/** Where a page must have come from to speak to us by a browser on this machine. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a request may come from a page of this origin. Why not whatever has our own host's name: a name that is made to
 * lead to us (DNS rebinding) would be that. @param allowed further origins, such as `https://console.example.com`
 */
export function isAllowedOrigin(origin: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined) return true;
  if (allowed.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, hostname } = new URL(origin);
  return (protocol === 'http:' || protocol === 'https:') && LOOPBACK.has(hostname);
}
