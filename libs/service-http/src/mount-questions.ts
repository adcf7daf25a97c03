import type { FastifyInstance } from 'fastify';
import type { HttpServiceQuery } from './http-service-query';
import { QUESTION_BYTES_MAX, QUESTIONS_PATH } from './question-path';
import type { ServiceLogger } from './questions-handler';
import { readBody } from './read-body';

/**
 * Lets a Fastify server answer other processes' questions besides what it serves, in a scope of its own: bodies are read
 * as they came, by nobody's parser. To be called before the server listens.
 * @returns what sends whoever asks elsewhere, and resolves when answers under way are given: to be called before the server closes
 */
export function mountQuestions(server: Pick<FastifyInstance, 'register'>, query: HttpServiceQuery, logger: ServiceLogger): { drain(): Promise<void> } {
  const questions = query.handler(logger);
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, parsed) => { parsed(null, payload); });
    scope.post(`${QUESTIONS_PATH}/:service/:question`, { bodyLimit: QUESTION_BYTES_MAX }, async (request, reply) => {
      const { status, headers, body } = await questions.handle({ method: 'POST', path: request.raw.url!.split('?')[0]!, headers: request.headers, body: () => readBody(request.raw, QUESTION_BYTES_MAX) });
      return reply.code(status).headers(headers).send(body);
    });
    done();
  });
  return { drain: () => questions.drain() };
}
