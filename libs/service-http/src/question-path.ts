import type { ServiceName } from '@aifirst/contracts';

/** A service, or one of its shards where its work is shared. */
export type Address = ServiceName | `${ServiceName}.${number}`;
export const addressOf = (service: ServiceName, shard: number, of: number): Address => (of === 1 ? service : `${service}.${shard}`);
export const serviceOf = (address: Address): ServiceName => address.split('.')[0] as ServiceName;

export const QUESTIONS_PATH = '/internal/v1/questions';
/** The largest question is an order to a workflow, or a connection to probe. */
export const QUESTION_BYTES_MAX = 4 * 1024 * 1024;

const PATH = new RegExp(`^${QUESTIONS_PATH}/([a-z][a-z-]{0,31}(?:\\.\\d{1,4})?)/([A-Za-z][A-Za-z0-9]{0,63})$`);

export const questionPath = (address: Address, question: string): string => `${QUESTIONS_PATH}/${address}/${question}`;

/** @returns null for what is no path of a question */
export function readQuestionPath(path: string): { readonly service: Address; readonly question: string } | null {
  const form = PATH.exec(path);
  return form === null ? null : { service: form[1] as Address, question: form[2]! };
}
