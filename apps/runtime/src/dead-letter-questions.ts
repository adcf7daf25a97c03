import { answerer, DeadLetterDesk, type DeadLetters, type MessageBus } from '@aifirst/bus';
import type { DeadLetterQuestions, ServiceName, ServiceQuery } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';

/** A service's answers about what its consumers could not handle. */
export function answerForDeadLetters(service: ServiceName, query: ServiceQuery, bus: MessageBus, letters: DeadLetters, isOurs?: (key: string) => boolean): void {
  const desk = new DeadLetterDesk(bus, letters, isOurs);
  const on = answerer<DeadLetterQuestions>(query, service);
  on('deadLetters', async asked => ({ items: (await desk.list(asked)).items as unknown as JsonObject[] }));
  on('replayDeadLetter', async asked => (await desk.replay(asked)) as unknown as JsonObject);
  on('discardDeadLetter', async asked => (await desk.discard(asked)) as unknown as JsonObject);
}
