/** C2SP tlog-checkpoint: what a signed note says of a log. */
export interface Checkpoint { readonly origin: string; readonly size: number; /** Base64. */ readonly root: string }

export const checkpointText = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${root}\n`;

/** A signature line of a C2SP signed note. @param signature base64 of the key's id and the signature */
export const signatureLine = (name: string, signature: string): string => `\u2014 ${name} ${signature}\n`;

export const signedNote = (text: string, ...lines: readonly string[]): string => `${text}\n${lines.join('')}`;

/**
 * `<DEPLOYMENT>/<tenant>`: the log's name, in its checkpoints and as name of its keys, where blanks and plus signs have a
 * meaning of their own.
 */
export const originOf = (deployment: string, tenant: string): string => `${deployment}/${encodeURIComponent(tenant)}`;
