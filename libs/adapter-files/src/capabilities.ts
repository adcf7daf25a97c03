import type { CapabilityDescriptor, ResourceTemplate } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { FILE_MODE, FOLDER_MODE, FOUR_DIGITS } from './input';
import { PATCH_BYTES_MAX } from './patch-text';
import { COPY_BYTES_MAX, COPY_ENTRIES_MAX } from './verbs/copy';
import { LIST_ENTRIES_MAX, READ_BYTES_MAX } from './verbs/read';

const connection = { type: 'string', minLength: 1, description: 'A connection of adapter `os`: a folder on the runtime\'s machine.' };
const path = { type: 'string', minLength: 1, maxLength: 4096, 'x-path': true, description: 'Relative to the root of the connection, `/` between names. Symbolic links are never followed.' };
const content = { type: 'string', 'x-sensitive': 'content' };
const encoding = { enum: ['utf8', 'base64'], description: 'How `content` stands for bytes.' };
const digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' };
const mode = { type: 'string', pattern: '^[0-7]{4}$', description: 'Four octal digits.' };

const object = (properties: JsonObject, required: readonly string[] = Object.keys(properties)): JsonObject =>
  ({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', properties, required, additionalProperties: false });

const written = object({
  path: { type: 'string' },
  digest: { ...digest, description: 'Of the file\'s content; of a folder, of all it holds (moved, copied or deleted) or of its type and mode (made, mode changed).' },
  created: { type: 'boolean', description: 'Nothing was at that path before.' },
});
const moved = object({ ...(written['properties'] as JsonObject), from: { type: 'string' } });

const AT_PATH: readonly ResourceTemplate[] = [{ uri: 'file://{connection}/{path}', access: 'write' }];

const readOnly = (name: string, description: string, inputSchema: JsonObject, outputSchema: JsonObject): CapabilityDescriptor => ({
  name, version: '1.0.0', adapter: 'os', reversibility: 'readOnly', outcome: 'marker', undo: 'exact', description, inputSchema, outputSchema,
  resources: [{ uri: 'file://{connection}/{path}', access: 'read' }],
});
const changing = (name: string, description: string, inputSchema: JsonObject, outputSchema: JsonObject = written, resources = AT_PATH): CapabilityDescriptor =>
  ({ name, version: '1.0.0', adapter: 'os', reversibility: 'reversible', outcome: 'marker', undo: 'exact', description, inputSchema, outputSchema, resources });

export const CAPABILITIES: readonly CapabilityDescriptor[] = [
  readOnly('fs.read', `Reads a file of at most ${READ_BYTES_MAX} bytes.`,
    object({ connection, path }),
    object({ content, encoding, size: { type: 'integer', minimum: 0 }, mode, mtime: { type: 'string', pattern: '^[+-]?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$', description: 'ISO 8601, UTC, with nanoseconds.' }, digest })),
  readOnly('fs.list', `Lists a folder of at most ${LIST_ENTRIES_MAX} entries; without a path the root.`,
    object({ connection, path, recursive: { type: 'boolean', default: false } }, ['connection']),
    object({ entries: { type: 'array', maxItems: LIST_ENTRIES_MAX, items: object({
      path: { type: 'string', description: 'Relative to the root.' }, type: { enum: ['file', 'directory', 'symlink', 'other'] },
      size: { type: 'integer', minimum: 0, description: '0 for folders.' }, mode }) } })),
  changing('fs.write', 'Writes a file and the folders missing on its way. A file that is replaced keeps its owner, its access list and, unless another is given, its mode; undo brings back the very inode.',
    object({ connection, path, content, encoding: { ...encoding, default: 'utf8' },
      mode: { type: 'string', pattern: FILE_MODE, description: 'Octal. Without it a new file gets 0666 less the umask of the runtime.' },
      ifExists: { enum: ['replace', 'fail'], default: 'replace' } }, ['connection', 'path', 'content'])),
  changing('fs.append', 'Adds to the end of a file; makes the file, and the folders missing on its way, if it is not there. Undo cuts off what was added if nothing follows it.',
    object({ connection, path, content, encoding: { ...encoding, default: 'utf8' } }, ['connection', 'path', 'content'])),
  changing('fs.patch', 'Applies a unified diff to a text file in UTF-8. Every hunk must fit as it is, at its line or at the only place where its lines stand; else nothing is changed and the hunk is named. The file keeps its owner, mode, access list and kind of line ends; undo brings back the very inode.',
    object({ connection, path, patch: { type: 'string', maxLength: PATCH_BYTES_MAX, 'x-sensitive': 'content', description: 'A unified diff of this one file. Names in its headers are not looked at.' } })),
  changing('fs.mkdir', 'Makes a folder.',
    object({ connection, path, parents: { type: 'boolean', default: false, description: 'Makes missing parents too, and takes a folder that is there for made.' },
      mode: { type: 'string', pattern: FOLDER_MODE, description: 'Octal; the owner has all rights. Without it 0777 less the umask of the runtime.' } }, ['connection', 'path'])),
  changing('fs.move', 'Renames a file or folder within the connection. Answers with the new path.',
    object({ connection, path, to: path, ifExists: { enum: ['fail', 'replace'], default: 'fail', description: 'A file may replace a file, a folder an empty folder.' } }, ['connection', 'path', 'to']),
    moved, [...AT_PATH, { uri: 'file://{connection}/{to}', access: 'write' }]),
  changing('fs.copy', `Copies a file or, with \`recursive\`, a folder with all in it (at most ${COPY_ENTRIES_MAX} entries and ${COPY_BYTES_MAX} bytes) and makes the folders missing on its way. A copy keeps content, rights, access lists and user attributes, not owner, times or set-user bits; symbolic links in a folder are copied as links. Answers with the new path.`,
    object({ connection, path, to: path, ifExists: { enum: ['fail', 'replace'], default: 'fail', description: 'A file may replace a file, a folder an empty folder; what was there is set aside as a whole.' }, recursive: { type: 'boolean', default: false } }, ['connection', 'path', 'to']),
    moved, [{ uri: 'file://{connection}/{path}', access: 'read' }, { uri: 'file://{connection}/{to}', access: 'write' }]),
  changing('fs.delete', 'Takes a file, an empty folder or, with `recursive`, a folder and all in it away. It is set aside in the root until it can no longer be undone.',
    object({ connection, path, recursive: { type: 'boolean', default: false } }, ['connection', 'path'])),
  changing('fs.chmod', 'Changes the mode of one file or folder, not of what is in it. Set-user, set-group and sticky bits that are there may stay or go; none may be added.',
    object({ connection, path, mode: { type: 'string', pattern: FOUR_DIGITS, description: 'Four octal digits.' } }),
    object({ ...(written['properties'] as JsonObject), mode, previousMode: mode })),
];
