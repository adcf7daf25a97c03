export { optionsOf, type Options } from './options';
export { NOTHING_PLANTED, PLANTS, type Plant } from './planted-faults';
export { simulate, type RunOptions, type RunResult } from './simulation';
