import { isFactTopic, SERVICE_OF_ADAPTER, stepCommandsTopic, TOPICS } from '@aifirst/contracts';
import { PRODUCT, read } from './repository';

/** Names that agents subscribe to; they stand without the owner's name in between. */
const PROMISED = ['aifirst.intents.v1', 'aifirst.intent.events.v1', 'aifirst.workflow.events.v1'];
const PATTERN = /^aifirst\.[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*\.(events|commands)\.v[1-9][0-9]*$/;

const ours = [...Object.values(TOPICS), ...new Set(Object.values(SERVICE_OF_ADAPTER).map(stepCommandsTopic))];

describe('topics', () => {
  it('are named aifirst.<context>.<entity>.<events or commands>.v<major>, but for those that agents know', () => {
    expect(ours.filter(topic => !PATTERN.test(topic) && !PROMISED.includes(topic))).toEqual([]);
  });
  it('are as many as their names', () => { expect(new Set(ours).size).toBe(ours.length); });
  it('carry facts exactly where they are called events', () => {
    expect(ours.filter(topic => isFactTopic(topic) !== topic.includes('.events.'))).toEqual([]);
  });
  it('are spelled in one place', () => {
    const spelled = PRODUCT.filter(path => path !== 'libs/contracts/src/topics.ts').filter(path => /['"`]aifirst\.[\w.${}-]*\.(events|commands)\.v\d/.test(read(path)));
    expect(spelled).toEqual([]);
  });
});
