import type { Ids } from '@aifirst/kernel';

const FORM = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The call's own W3C trace context: a span below the caller's where that sent a valid one, else the root of a new trace. */
export function traceparentOf(header: string | undefined, ids: Ids): string {
  const own = ids.uuid().replaceAll('-', '');
  // Why: the end of a UUID is its random part, and a span's id has to be unique within its trace alone.
  const span = own.slice(16);
  return header !== undefined && FORM.test(header) ? `${header.slice(0, 36)}${span}${header.slice(52)}` : `00-${own}-${span}-01`;
}

/** Put on a request whose call is the root of what it sets in motion, for telemetry. */
export interface Traced { trace?: { readonly own: string; readonly parent: string | undefined } }
