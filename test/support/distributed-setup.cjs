'use strict';
// Read by test/support/distribution.ts when a test file loads it.
process.env.AIFIRST_STACK = 'distributed';
