import type { JsonObject } from '@aifirst/kernel';
import { isFactTopic } from '@aifirst/contracts';
import type { MessageDescription } from './messages';
import { COMPONENTS, open, text } from './schemas';

const EVENT = COMPONENTS.CloudEvent;
const REQUIRED = ['specversion', 'id', 'type', 'source', 'time'];

/** AsyncAPI 3.0 of the messages on our topics, each a CloudEvent 1.0. */
export function asyncapi(messages: readonly MessageDescription[], version: string): JsonObject {
  const topics = [...new Set(messages.map(({ topic }) => topic))];
  const ofTopic = (topic: string): MessageDescription[] => messages.filter(message => message.topic === topic);
  const actionOf = (topic: string): string => ofTopic(topic)[0]!.binary?.action ?? 'send';
  return {
    asyncapi: '3.0.0',
    info: { title: 'AI-First Runtime', version, license: { name: 'Apache-2.0' }, description: 'Facts (topics that end in `.events.v1`) are numbered without gaps by their producer; commands are not.' },
    defaultContentType: 'application/cloudevents+json',
    channels: Object.fromEntries(topics.map(topic => [nameOf(topic), {
      address: topic, description: isFactTopic(topic) ? 'facts' : topic.endsWith('.commands.v1') ? 'commands' : ofTopic(topic)[0]!.summary,
      messages: Object.fromEntries(ofTopic(topic).map(({ type }) => [nameOf(type), { $ref: `#/components/messages/${nameOf(type)}` }])),
    }])),
    operations: Object.fromEntries(topics.map(topic => [`${actionOf(topic)}-${nameOf(topic)}`, {
      action: actionOf(topic), channel: { $ref: `#/channels/${nameOf(topic)}` },
      messages: ofTopic(topic).map(({ type }) => ({ $ref: `#/channels/${nameOf(topic)}/messages/${nameOf(type)}` })),
    }])),
    components: { messages: Object.fromEntries(messages.map(message => [nameOf(message.type), { name: message.type, title: message.type, summary: message.summary, ...(message.binary === undefined ? structured(message) : binary(message, message.binary)) }])) },
  };
}

/** As our services send it: the whole event is the value. */
const structured = ({ type, data }: MessageDescription): JsonObject => ({
  contentType: 'application/cloudevents+json',
  headers: { type: 'object', required: ['content-type'], properties: { 'content-type': { const: 'application/cloudevents+json' }, traceparent: { type: 'string' } } },
  payload: { ...EVENT, properties: { ...(EVENT['properties'] as JsonObject), type: { const: type }, data } },
});

/** Attributes in headers, data as the value. */
const binary = ({ type, data }: MessageDescription, { headers }: NonNullable<MessageDescription['binary']>): JsonObject => ({
  contentType: 'application/json',
  headers: open({ 'content-type': text(), ...Object.fromEntries(REQUIRED.map(name => [`ce_${name}`, text()])), ce_specversion: { const: '1.0' }, ce_type: { const: type }, ...headers }),
  payload: data,
});

/** Names of components hold no dots. */
const nameOf = (name: string): string => name.replaceAll('.', '-');
