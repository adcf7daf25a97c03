import type { ServiceName } from '@aifirst/contracts';

export const QUESTIONS_PATH = '/internal/v1/questions';
/** The largest question is an order to a workflow, or a connection to probe. */
export const QUESTION_BYTES_MAX = 4 * 1024 * 1024;

const PATH = new RegExp(`^${QUESTIONS_PATH}/([a-z][a-z-]{0,31})/([A-Za-z][A-Za-z0-9]{0,63})$`);

export const questionPath = (service: ServiceName, question: string): string => `${QUESTIONS_PATH}/${service}/${question}`;

/** @returns null for what is no path of a question */
export function readQuestionPath(path: string): { readonly service: ServiceName; readonly question: string } | null {
  const form = PATH.exec(path);
  return form === null ? null : { service: form[1] as ServiceName, question: form[2]! };
}
