import { answerIn, messageOfRefusal, objectIn } from './chat-answer';

const ANSWER = { goal: 'g', steps: [{ id: 'a' }] };
const TEXT = JSON.stringify(ANSWER);

describe('the object that a model means', () => {
  it.each([
    ['plain', TEXT], ['with a byte order mark and spaces', `\uFEFF  ${TEXT}\n`], ['in a fence', `Here it is:\n\`\`\`json\n${TEXT}\n\`\`\`\nDone.`], ['in a fence without a name', `\`\`\`\n${TEXT}\n\`\`\``],
    ['among words', `I would do this: ${TEXT} What do you think?`], ['after its thoughts', `<think>{"steps": ["not this"]}</think>${TEXT}`], ['as a text of JSON', JSON.stringify(TEXT)],
    ['as the arguments of a call', JSON.stringify({ name: 'propose', arguments: TEXT })], ['as parameters', JSON.stringify({ function: 'propose', parameters: ANSWER })], ['as the last of several', `{"steps": []} and better ${TEXT}`],
    ['after an object that is none', `{"a": 1} ${TEXT}`], ['after a brace that is never closed', `{ oh no ${TEXT}`],
  ])('is found %s', (_, text) => { expect(objectIn(text)).toEqual(ANSWER); });

  it('keeps braces and quotes in texts', () => { expect(objectIn('so: {"steps": ["}", "\\"{"], "goal": "a } b"}.')).toEqual({ steps: ['}', '"{'], goal: 'a } b' }); });
  it.each(['', 'I can not do that.', '[1, 2]', '42', 'null', '{"steps": [', '```json\n{"steps": \n```', '{"a": {"steps": '])('is not found in %j', text => { expect(objectIn(text)).toBeNull(); });
  it('is looked for in rubbish without end', () => {
    const began = Date.now();
    expect(objectIn('{'.repeat(500_000))).toBeNull();
    expect(objectIn('{"'.repeat(250_000))).toBeNull();
    expect(objectIn(`\`\`\`\n${'`'.repeat(200_000)}`)).toBeNull();
    expect(objectIn('<think>'.repeat(20_000))).toBeNull();
    expect(Date.now() - began).toBeLessThan(20_000);
  });
});

describe('an answer of a chat endpoint', () => {
  const of = (message: object, finish = 'stop', usage: object = { total_tokens: 7 }): ReturnType<typeof answerIn> => answerIn(JSON.stringify({ choices: [{ message, finish_reason: finish }], usage }));

  it('is what the model says, cut off or not, with its tokens', () => {
    expect(of({ content: TEXT })).toEqual({ text: TEXT, isCut: false, tokens: 7 });
    expect(of({ content: 'x' }, 'length', {})).toEqual({ text: 'x', isCut: true, tokens: null });
    expect(of({ content: 'x' }, 'stop', { total_tokens: -1 })?.tokens).toBeNull();
  });
  it('is the arguments of the tool that it calls, before what it says beside', () => {
    expect(of({ content: 'I call', tool_calls: [{ type: 'function', function: { name: 'propose', arguments: TEXT } }] })?.text).toBe(TEXT);
    expect(objectIn(of({ content: null, tool_calls: [{ function: { arguments: ANSWER } }] })!.text)).toEqual(ANSWER);
    expect(of({ content: null, function_call: { arguments: TEXT } })?.text).toBe(TEXT);
  });
  it('may come in parts, or be a refusal', () => {
    expect(of({ content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] })?.text).toBe('ab');
    expect(of({ content: null, refusal: 'I will not' })?.text).toBe('I will not');
    expect(of({ content: null })?.text).toBe('');
  });
  it.each(['', 'OK', '{}', '{"choices": []}', '{"choices": [{}]}', '{"choices": {"0": {}}}', '[]', 'null'])('is not %j', body => { expect(answerIn(body)).toBeNull(); });
});

it.each([
  ['{"error": {"message": "no such model"}}', 'no such model'], ['{"error": "busy"}', 'busy'], ['{"message": "m"}', 'm'], ['{"detail": [1]}', '[1]'], ['<html>', '<html>'], ['{"error": {"code": 1}}', '{"code":1}'],
])('the reason in %s is %s', (body, reason) => { expect(messageOfRefusal(body)).toBe(reason); });
