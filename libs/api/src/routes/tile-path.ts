export interface Tile { readonly level: number | 'entries'; readonly index: number; readonly width: number }

export const TILE_WIDTH = 256;
const PATH = /^(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*)([0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;
/** Six levels of 256 hold more than any log. */
const LEVEL_MAX = 63;

/** `<L>/<N>[.p/<W>]` of C2SP tlog-tiles, `N` in groups of three digits: `0/x001/x234/067.p/8`. Null for any other spelling. */
export function tileOf(path: string): Tile | null {
  const found = PATH.exec(path);
  if (found === null) return null;
  const [, level, groups, last, partial] = found;
  const digits = groups!.replaceAll(/[x/]/g, '');
  const index = Number(digits + last!);
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  // Why: one tile has one name, so a leading group of zeros names nothing.
  if (groups!.startsWith('x000/') || !Number.isSafeInteger(index) || width > TILE_WIDTH - (partial === undefined ? 0 : 1)) return null;
  if (level !== 'entries' && Number(level) > LEVEL_MAX) return null;
  return { level: level === 'entries' ? level : Number(level), index, width };
}
