import type { Ids } from '@aifirst/kernel';

const FORM = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's W3C trace context where it sent a valid one, else a new one. */
export function traceparentOf(header: string | undefined, ids: Ids): string {
  if (header !== undefined && FORM.test(header)) return header;
  const trace = ids.uuid().replaceAll('-', '');
  // Why: the end of a UUID is its random part, and a span's id has to be unique within its trace alone.
  return `00-${trace}-${trace.slice(16)}-01`;
}
