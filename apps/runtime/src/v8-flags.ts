import { setFlagsFromString } from 'node:v8';

// Why: without it V8 kills Node 20 under load when it inlines calls into WebAssembly (Cedar). Imported before anything that may be compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls');
