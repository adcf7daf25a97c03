// How the demonstration speaks: scenes with one sentence each, commands, and claims that are checked when they are made.
import { styleText } from 'node:util';

const { FORCE_COLOR: force, NO_COLOR: never = '', TERM } = process.env;
/** As the command line decides it. */
export const colours = force !== undefined ? force !== '0' && force !== 'false' : never === '' && TERM !== 'dumb' && process.stdout.isTTY === true;
const WIDTH = 112;
/** `npm run demo --pause` is taken by npm, which passes it on so. */
const PAUSE = process.argv.includes('--pause') || process.env.npm_config_pause === 'true';
/** On a terminal a scene stays a while before the next one comes. */
const LOOK_MS = process.stdout.isTTY === true ? 1_500 : 0;
const paint = (style, text) => (colours ? styleText(style, text, { validateStream: false }) : text);

export const say = (text = '') => { process.stdout.write(`${text.trimEnd()}\n`); };
/** Of what a command writes, cut as on a narrow terminal. */
export const shown = text => { say(text === '' ? '' : `    ${cut(text, WIDTH)}`); };
export const command = text => { say(`  ${paint('dim', '$')} ${paint('cyan', text)}`); };

/** A claim that does not hold ends the demonstration. */
export function holds(condition, claim, found = '') {
  if (!condition) throw new Error(`this does not hold: ${claim}${found === '' ? '' : `\n${found}`}`);
  say(`  ${paint('green', '✓')} ${claim}`);
}

function cut(text, width) {
  let left = width;
  const parts = text.split(/(\x1b\[[0-9;]*m)/).map((part, index) => {
    if (index % 2 === 1) return part;
    const kept = part.length > left ? `${part.slice(0, Math.max(left - 1, 0))}${left > 0 ? '…' : ''}` : part;
    left -= part.length;
    return kept;
  });
  return parts.join('');
}

let scenes = 0;
/** @param what happens, and why it matters */
export async function scene(title, what) {
  if (scenes > 0) { await (PAUSE ? enter() : new Promise(resolve => { setTimeout(resolve, LOOK_MS); })); say(); }
  say(paint('bold', `${++scenes}. ${title}`));
  for (const line of what.match(new RegExp(`\\S.{0,${WIDTH - 1}}(?= |$)`, 'g'))) say(`  ${paint('dim', line)}`);
  say();
}

async function enter() {
  if (process.stdin.readableEnded) return;
  process.stderr.write(paint('dim', '\n  Enter to go on '));
  await new Promise(resolve => {
    const done = () => { process.stdin.off('data', done).off('end', done).pause(); resolve(); };
    process.stdin.on('data', done).on('end', done).resume();
  });
}
