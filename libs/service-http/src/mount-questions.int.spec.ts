import 'reflect-metadata';
import { Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Refusal } from '@aifirst/kernel';
import { HttpServiceQuery } from './http-service-query';
import { mountQuestions } from './mount-questions';
import { Copies, RecordingLogger, SERVICE_KEY, wallClock } from './testing/processes';

@Controller()
class OwnController {
  @Post('/v1/own')
  own(): { own: true } { return { own: true }; }
}
@Module({ controllers: [OwnController] })
class OwnModule {}

describe('a server of its own that answers questions too', () => {
  const copies = new Copies();
  let app: NestFastifyApplication;
  let query: HttpServiceQuery;
  let url: string;
  let drain: () => Promise<void>;

  beforeAll(async () => {
    query = new HttpServiceQuery({ urls: {}, self: ['gateway'], serviceKey: SERVICE_KEY, clock: wallClock });
    query.answer('gateway', 'connection', body => ({ asked: body }));
    query.answer('gateway', 'refusing', () => { throw new Refusal({ code: 'NOT_FOUND', detail: 'no', pointer: '/name' }); });
    app = await NestFactory.create<NestFastifyApplication>(OwnModule, new FastifyAdapter({ bodyLimit: 1_000 }), { logger: false });
    await app.init();
    ({ drain } = mountQuestions(app.getHttpAdapter().getInstance() as never, query, new RecordingLogger()));
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(async () => {
    await copies.stop();
    await app?.close();
    query?.close();
  });

  it('answers, beyond what its own bodies may have', async () => {
    const asker = copies.asker({ gateway: [url] });
    const body = { tenant: 'default', name: 'x'.repeat(3_000_000) };
    expect(await asker.ask('gateway', 'connection', body)).toEqual({ asked: body });
    await expect(asker.ask('gateway', 'refusing', {})).rejects.toMatchObject({ code: 'NOT_FOUND', problems: [{ code: 'NOT_FOUND', detail: 'no', pointer: '/name' }] });
    expect(await Promise.all(Array.from({ length: 100 }, (_, n) => asker.ask('gateway', 'connection', n)))).toEqual(Array.from({ length: 100 }, (_, n) => ({ asked: n })));
  });

  it('refuses strangers', async () => {
    const answered = await fetch(`${url}/internal/v1/questions/gateway/connection`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect([answered.status, answered.headers.get('content-type'), ((await answered.json()) as { code: string }).code]).toEqual([401, 'application/problem+json', 'UNAUTHENTICATED']);
  });

  it('serves what it served', async () => {
    const own = await fetch(`${url}/v1/own`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect([own.status, await own.json()]).toEqual([201, { own: true }]);
    const malformed = await fetch(`${url}/v1/own`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } });
    expect(malformed.status).toBe(400);
  });

  it('sends on when it is drained', async () => {
    const other = await copies.start('gateway', { prepare: another => { another.answer('gateway', 'connection', () => 'other'); } });
    const asker = copies.asker({ gateway: [url, other.url] });
    expect(await asker.ask('gateway', 'connection', 1)).toEqual({ asked: 1 });
    await drain();
    expect(await asker.ask('gateway', 'connection', 1)).toBe('other');
  });
});
