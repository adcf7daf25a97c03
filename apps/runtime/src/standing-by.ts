import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Log, PostgresStore } from '@aifirst/store';
import { LeaseHeld } from '@aifirst/store';
import { systemClock } from './clock';

const LOOK_MS = 500;

/** The one place from which a service's log is written. Copies without it stand by. */
export interface Seat {
  /** Where the copy is reached that has it; null: nobody known. */
  activeUrl(): string | null;
  taken(): boolean;
}

/**
 * Takes the log's lease as soon as nobody has it. A copy that was killed holds it for as long as its lease lasts, one that ended in
 * order not at all.
 * @param url where this copy is reached: others learn it from the lease
 */
export function takeSeat(store: PostgresStore, log: string, url: string, hooks: { readonly isStopping: () => boolean; readonly onWaiting: (holder: string) => void }): { readonly seat: Seat; readonly log: Promise<Log | null> } {
  let active: string | null = null;
  let isTaken = false;
  const taking = async (): Promise<Log | null> => {
    let takeOver = false;
    while (!hooks.isStopping()) {
      try {
        const opened = await store.open({ log, shard: 0, owner: url, takeOver });
        active = url;
        isTaken = true;
        return opened;
      } catch (error) {
        if (!(error instanceof LeaseHeld)) throw error;
        // Why at once: whoever had it listened where we listen now, so it is gone.
        if (error.owner === url && !takeOver) { takeOver = true; continue; }
        takeOver = false;
        const holder = error.owner === '' || error.owner === url ? null : error.owner;
        if (holder !== active && holder !== null) hooks.onWaiting(holder);
        active = holder;
      }
      await new Promise<void>(resolve => { systemClock.after(LOOK_MS, resolve); });
    }
    return null;
  };
  return { seat: { activeUrl: () => active, taken: () => isTaken }, log: taking() };
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
const TO_RETRY_S = '1';

/** Hands a call on to the copy that is active, streams included. Nobody there: 503 with `Retry-After`. */
export function handOn(activeUrl: string | null, request: IncomingMessage, response: ServerResponse): void {
  if (activeUrl === null) { unavailable(response); return; }
  const { protocol, hostname, port } = new URL(activeUrl);
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
  // Why not an address made of both: a path that begins with two slashes would name another host.
  const onward = (protocol === 'https:' ? httpsRequest : httpRequest)({ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: request.url ?? '/', method: request.method ?? 'GET', headers }, answer => {
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name))));
    answer.pipe(response);
    answer.once('error', () => { response.destroy(); });
  });
  onward.once('error', () => { if (response.headersSent) response.destroy(); else unavailable(response); });
  response.once('close', () => { onward.destroy(); });
  request.pipe(onward);
}

function unavailable(response: ServerResponse): void {
  const problem = { type: 'about:blank', title: 'Service Unavailable', status: 503, code: 'SERVICE_UNAVAILABLE', detail: 'no copy of the gateway is active at the moment: try again' };
  response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': TO_RETRY_S }).end(JSON.stringify(problem));
}
