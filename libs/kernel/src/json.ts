export type JsonScalar = null | boolean | number | string;
export type Json = JsonScalar | readonly Json[] | JsonObject;
export interface JsonObject { readonly [key: string]: Json | undefined }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
