import Ajv2020, { type AnySchema, type ValidateFunction } from 'ajv/dist/2020';

const kept = new Map<string, ValidateFunction>();

/**
 * Keeps what schemas compile to across the lives of a service: a start compiles all of them, which takes longer than most
 * of the runs. A compiled schema holds nothing but the errors of its last call. @returns what undoes it
 */
export function keepCompiledSchemas(): () => void {
  const { compile } = Ajv2020.prototype;
  Ajv2020.prototype.compile = function (this: Ajv2020, schema: AnySchema): ValidateFunction {
    const key = `${this.opts.allErrors === true ? 'all' : 'first'} ${JSON.stringify(schema)}`;
    let compiled = kept.get(key);
    if (compiled === undefined) kept.set(key, compiled = compile.call(this, schema));
    return compiled;
  } as typeof compile;
  return () => { Ajv2020.prototype.compile = compile; };
}
