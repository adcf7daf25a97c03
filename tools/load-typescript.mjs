// Lets `require` load the TypeScript of this repository as it stands: compiled on the way in, `@aifirst/<lib>` from its sources.
import { existsSync, readFileSync } from 'node:fs';
import Module from 'node:module';
import { join } from 'node:path';
import { transformSync } from '@swc/core';

export function loadTypeScript(root) {
  const options = JSON.parse(readFileSync(join(root, '.swcrc'), 'utf8'));
  Module._extensions['.ts'] = (module, filename) => {
    const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, configFile: false, swcrc: false, filename, sourceMaps: 'inline' });
    module._compile(code, filename);
  };
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    const lib = /^@aifirst\/([^/]+)(\/testing)?$/.exec(request);
    const source = lib === null ? null : join(root, 'libs', lib[1], 'src', lib[2] === undefined ? 'index.ts' : 'testing/index.ts');
    return source !== null && existsSync(source) ? source : resolve.call(this, request, ...rest);
  };
  process.setSourceMapsEnabled(true);
}
