/** What acts on a screen or on a model without being seen: controls, marks of direction, spaces without width, tags. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|[\ud800-\udfff]/gu;
const MARKUP = /[<>`]/g;

/** Text that somebody else wrote, as one JSON string: nothing in it is unseen, and nothing ends the quotation. */
export function quoted(text: string, charsMax: number): string {
  return JSON.stringify(cut(text, charsMax)).replaceAll(UNSEEN, escaped).replaceAll(MARKUP, escaped);
}

/** A text of ours that may repeat something of others: one line of what can be seen. */
export const oneLine = (text: string, charsMax = 1_000): string => cut(text.replaceAll(UNSEEN, ' ').replaceAll(/\s+/g, ' ').trim(), charsMax);

const cut = (text: string, charsMax: number): string => (text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`);

/** As JSON has it: in units of UTF-16. */
function escaped(found: string): string {
  let units = '';
  for (let at = 0; at < found.length; at++) units += `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return units;
}
