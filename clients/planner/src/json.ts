export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject { readonly [name: string]: Json | undefined }

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
export const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value as readonly Json[] : []);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));

/** Whether nothing in it lies deeper than that: what is deeper overflows whoever walks it. */
export function isWithin(value: Json | undefined, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depthMax === 0) return false;
  return (Array.isArray(value) ? value as readonly Json[] : Object.values(value)).every(one => isWithin(one, depthMax - 1));
}
