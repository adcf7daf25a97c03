import { Controller } from '@nestjs/common';
import { messageOf } from '@aifirst/kernel';
import { component, open, oneOf, text } from '../documents/schemas';
import { Route, type Answer, type Reply, type RouteDefinition } from '../http/route';

export interface ReadinessCheck { readonly name: string; /** Rejects, or resolves with a text, while it is not ready. */ check(): Promise<string | null> | string | null }

/** What the system's routes tell, as a provider. */
export class SystemPages {
  constructor(readonly readiness: readonly ReadinessCheck[], readonly metrics: () => Promise<string>, readonly documents: { openapi(): string; asyncapi(): string }) {}
}

const PUBLIC: Pick<RouteDefinition, 'tag' | 'access' | 'method'> = { tag: 'System', access: 'public', method: 'GET' };
const DOCUMENT: Readonly<Record<number, Answer>> = { 200: { description: 'the document', schema: { type: 'object' } } };
const documentReply = (body: string): Reply => ({ status: 200, body, type: 'application/json; charset=utf-8' });
const CHECK_MS_MAX = 2_000;

@Controller()
export class SystemController {
  constructor(private readonly pages: SystemPages) {}

  @Route({ ...PUBLIC, path: '/health/live', id: 'isLive', summary: 'Does the process answer?', answers: { 200: { description: 'it does', schema: open({ status: oneOf('live') }) } } })
  live(): Reply { return { status: 200, body: { status: 'live' }, headers: NOT_KEPT }; }

  @Route({
    ...PUBLIC, path: '/health/ready', id: 'isReady', summary: 'Does every part answer?',
    answers: { 200: { description: 'every part does', schema: component('Readiness') }, 503: { description: 'not yet, or not now', schema: component('Readiness'), headers: { 'Retry-After': 'seconds' } } },
  })
  async ready(): Promise<Reply> {
    const checks = await Promise.all(this.pages.readiness.map(async ({ name, check }) => {
      const detail = await inTime(check);
      return detail === null ? { name, ready: true } : { name, ready: false, detail };
    }));
    const isReady = checks.every(({ ready }) => ready);
    return { status: isReady ? 200 : 503, body: { status: isReady ? 'ready' : 'notReady', checks }, headers: { ...NOT_KEPT, ...(isReady ? {} : { 'retry-after': '1' }) } };
  }

  @Route({ ...PUBLIC, path: '/metrics', id: 'getMetrics', summary: 'Metrics in the text format of Prometheus.', answers: { 200: { description: 'metrics', type: 'text/plain', schema: text() } } })
  async metrics(): Promise<Reply> { return { status: 200, body: await this.pages.metrics(), type: 'text/plain; version=0.0.4; charset=utf-8', headers: NOT_KEPT }; }

  @Route({ ...PUBLIC, path: '/openapi.json', id: 'getOpenapi', summary: 'This document.', answers: DOCUMENT })
  openapi(): Reply { return documentReply(this.pages.documents.openapi()); }

  @Route({ ...PUBLIC, path: '/v1/openapi.json', id: 'getOpenapiOfVersion', summary: 'This document.', answers: DOCUMENT })
  openapiOfVersion(): Reply { return documentReply(this.pages.documents.openapi()); }

  @Route({ ...PUBLIC, path: '/asyncapi.json', id: 'getAsyncapi', summary: 'The messages on the topics.', answers: DOCUMENT })
  asyncapi(): Reply { return documentReply(this.pages.documents.asyncapi()); }

  @Route({ ...PUBLIC, path: '/v1/asyncapi.json', id: 'getAsyncapiOfVersion', summary: 'The messages on the topics.', answers: DOCUMENT })
  asyncapiOfVersion(): Reply { return documentReply(this.pages.documents.asyncapi()); }
}

const NOT_KEPT = { 'cache-control': 'no-store' };

async function inTime(check: ReadinessCheck['check']): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>(resolve => { timer = setTimeout(() => resolve(`no answer within ${CHECK_MS_MAX} ms`), CHECK_MS_MAX); });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
