'use strict';
// `node -r` this file to run our TypeScript sources as they are: for tests that need a process of their own.
const Module = require('node:module');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { transformSync } = require('@swc/core');

const root = join(__dirname, '..', '..', '..', '..');
const options = JSON.parse(readFileSync(join(root, '.swcrc'), 'utf8'));
const resolve = Module._resolveFilename;

Module._extensions['.ts'] = (module, filename) => {
  module._compile(transformSync(readFileSync(filename, 'utf8'), { ...options, swcrc: false, filename, sourceMaps: 'inline' }).code, filename);
};
Module._resolveFilename = function (request, ...rest) {
  const own = /^@aifirst\/([^/]+)(\/testing)?$/.exec(request);
  return resolve.call(this, own === null ? request : join(root, 'libs', own[1], 'src', own[2] ?? '', 'index.ts'), ...rest);
};
