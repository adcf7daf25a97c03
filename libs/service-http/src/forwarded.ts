import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { Clock } from '@aifirst/kernel';

const HEADER = 'aifirst-forwarded';
const KEY_LABEL = 'aifirst calls handed on between copies v1';
const KEY_BYTES = 32;
const FORM = /^v1 (\d{1,16}) ([0-9A-Fa-f:.]{2,45}) ([A-Za-z0-9_-]{43})$/;
/** As between clocks of two processes. */
const AGE_MS_MAX = 60_000;
/** What anybody may write, and proxies are believed. */
const FROM_ANYBODY = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'forwarded'];

/** Says between copies of the gateway whose call is handed on: with the service key, so that no caller can name another address. */
export class Forwarded {
  readonly #key: Buffer;
  constructor(serviceKey: Uint8Array, private readonly clock: Pick<Clock, 'now'>) { this.#key = Buffer.from(hkdfSync('sha256', serviceKey, '', KEY_LABEL, KEY_BYTES)); }

  /** The header that goes with a call from this address; none where it is unknown. */
  headerFor(address: string | undefined): Readonly<Record<string, string>> {
    if (address === undefined || isIP(address) === 0) return {};
    const at = this.clock.now();
    return { [HEADER]: `v1 ${at} ${address} ${this.#mac(at, address).toString('base64url')}` };
  }

  /** Leaves in the headers whose call it is as `x-forwarded-for` where a copy says so, and nothing that anybody else says. */
  settle(headers: IncomingHttpHeaders): void {
    const address = this.#addressIn(headers[HEADER]);
    for (const name of [...FROM_ANYBODY, HEADER]) delete headers[name];
    if (address !== null) headers['x-forwarded-for'] = address;
  }

  #addressIn(header: string | string[] | undefined): string | null {
    const [, at, address, mac] = FORM.exec(typeof header === 'string' ? header : '') ?? [];
    if (address === undefined || isIP(address) === 0 || Math.abs(this.clock.now() - Number(at)) > AGE_MS_MAX) return null;
    return timingSafeEqual(Buffer.from(mac!, 'base64url'), this.#mac(Number(at), address)) ? address : null;
  }

  #mac(at: number, address: string): Buffer { return createHmac('sha256', this.#key).update(`${at} ${address}`).digest(); }
}
