import type { JsonObject } from '@aifirst/kernel';
import { isFactTopic } from '@aifirst/contracts';
import type { MessageDescription } from './messages';

const HEADERS: JsonObject = {
  type: 'object', required: ['ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_time', 'ce_subject', 'ce_tenant'],
  properties: Object.fromEntries(['specversion', 'id', 'type', 'source', 'time', 'subject', 'tenant', 'causationid', 'traceparent', 'intentid', 'intentsource', 'producer', 'sequence'].map(name => [`ce_${name}`, { type: 'string' }])),
};

/** AsyncAPI 3.0 of the messages on our topics, each a CloudEvent 1.0 in binary mode. */
export function asyncapi(messages: readonly MessageDescription[], version: string): JsonObject {
  const topics = [...new Set(messages.map(({ topic }) => topic))];
  const ofTopic = (topic: string): MessageDescription[] => messages.filter(message => message.topic === topic);
  return {
    asyncapi: '3.0.0',
    info: { title: 'AI-First Runtime', version, license: { name: 'Apache-2.0' }, description: 'Facts (topics that end in `.events.v1`) are numbered without gaps by their producer; commands are not.' },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(topics.map(topic => [nameOf(topic), {
      address: topic, description: isFactTopic(topic) ? 'facts' : 'commands',
      messages: Object.fromEntries(ofTopic(topic).map(({ type }) => [nameOf(type), { $ref: `#/components/messages/${nameOf(type)}` }])),
    }])),
    operations: Object.fromEntries(topics.map(topic => [`send-${nameOf(topic)}`, {
      action: 'send', channel: { $ref: `#/channels/${nameOf(topic)}` },
      messages: ofTopic(topic).map(({ type }) => ({ $ref: `#/channels/${nameOf(topic)}/messages/${nameOf(type)}` })),
    }])),
    components: {
      messages: Object.fromEntries(messages.map(({ type, summary, data }) => [nameOf(type), {
        name: type, title: type, summary, contentType: 'application/json', headers: { ...HEADERS, properties: { ...(HEADERS['properties'] as JsonObject), ce_type: { type: 'string', const: type } } }, payload: data,
      }])),
    },
  };
}

/** Names of components hold no dots. */
const nameOf = (name: string): string => name.replaceAll('.', '-');
