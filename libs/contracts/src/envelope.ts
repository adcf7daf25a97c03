import type { JsonObject } from '@aifirst/kernel';

/**
 * A CloudEvents 1.0 event, the only thing that crosses a service. Facts (on topics that end in `.events.v1`) are
 * numbered by their producer and go into the audit log; commands (`.commands.v1`) are not.
 */
export interface CloudEvent<D = JsonObject> {
  readonly specversion: '1.0';
  /** Unique for (source, id). */
  readonly id: string;
  /** `aifirst.<entity>.<fact or command>.v1`. */
  readonly type: string;
  /** A URI reference: `/aifirst/<service>`. */
  readonly source: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** What it is about: a workflow's id, an agent's id, a policy's name. */
  readonly subject: string;
  readonly tenant: string;
  /** `id` of the event that caused this one. Every step outcome names its `StepStarted`, every `StepStarted` its decision. */
  readonly causationid?: string;
  /** W3C trace context. */
  readonly traceparent?: string;
  /** The id under which its agent knows the intent that it is about: of an intent by Kafka the CloudEvent's own, else the `intentId` answered. */
  readonly intentid?: string;
  /** The agent that sent the intent. */
  readonly intentsource?: string;
  /** `<service>/<shard>`. */
  readonly producer: string;
  /** Gapless per producer, from 1. Facts only. */
  readonly sequence?: number;
  readonly data: D;
}

/** An event before its producer's log has put `producer`, `source` and `sequence` on it. */
export interface Draft<D = JsonObject> {
  readonly topic: string;
  /** Messages of one key keep their order. */
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly subject: string;
  readonly tenant: string;
  readonly causationid?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly intentid?: string | undefined;
  readonly intentsource?: string | undefined;
  readonly data: D;
}

export interface Message<D = JsonObject> { readonly topic: string; readonly key: string; readonly event: CloudEvent<D> }

export const isFactTopic = (topic: string): boolean => topic.endsWith('.events.v1');

/** `StepStarted` → `aifirst.workflow.step-started.v1`. */
export const eventType = (entity: string, name: string): string =>
  `aifirst.${entity}.${name.replace(/(?<!^)[A-Z]/g, letter => `-${letter}`).toLowerCase()}.v1`;
