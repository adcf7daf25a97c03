import type { JsonObject } from '../json';

export interface Message { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

/** What a model is asked for: one JSON object of this schema. */
export interface Question {
  readonly messages: readonly Message[];
  readonly schema: JsonObject;
  /** Gives up waiting; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

export interface ModelAnswer {
  /** As the model gave it: not yet known to be JSON. */
  readonly text: string;
  /** Its answer was cut off because it was too long. */
  readonly isCut: boolean;
  /** Tokens of question and answer, as the endpoint counts them; null: it does not say. */
  readonly tokens: number | null;
}

/** Whoever proposes. Its word is data: nothing that it says is taken for anything but a proposal. */
export interface Model {
  /** For messages and labels. */
  readonly name: string;
  /** The most that it may answer with. */
  readonly answerTokensMax: number;
  /** @throws PlannerError `MODEL_…` */
  ask(question: Question): Promise<ModelAnswer>;
}
