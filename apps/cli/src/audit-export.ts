import { writeFile } from 'node:fs/promises';
import { messageOf } from '@aifirst/kernel';
import { CannotDo, type Surroundings } from './exit';
import { queryOf, Server, type ServerOptions } from './server';

export interface ExportArguments extends ServerOptions { readonly output: string; readonly from?: string; readonly to?: string }

export async function exportLog({ output, from, to, tenant, ...where }: ExportArguments, surroundings: Surroundings): Promise<void> {
  const document = await fetchExport(new Server(surroundings, where), { from, to, tenant });
  if (output === '-') { surroundings.out(Buffer.from(document).toString()); return; }
  try {
    await writeFile(output, document);
  } catch (error) {
    throw new CannotDo(`can't write \`${output}\`: ${messageOf(error)}`);
  }
  surroundings.err(`wrote ${document.length} bytes to ${output}\n`);
}

export async function fetchExport(server: Server, parameters: Readonly<Record<'from' | 'to' | 'tenant', string | undefined>>): Promise<Uint8Array> {
  const document = await server.get(`/v1/audit/export${queryOf(parameters)}`);
  if (document === null) throw new CannotDo('there is nothing to export: the log has no checkpoint yet');
  return document;
}
