/**
 * One-dimensional arrays in PostgreSQL's binary format. Why: node-pg writes arrays as text, bytes in hexadecimal, which for
 * bundles would be most of the folding's work; a Buffer is sent as it is.
 */
const OIDS = { bytea: 17, int8: 20, text: 25 } as const;

function binaryArray(oid: number, elements: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(elements.length === 0 ? 12 : 20);
  header.writeInt32BE(elements.length === 0 ? 0 : 1, 0);
  header.writeInt32BE(oid, 8);
  if (elements.length > 0) { header.writeInt32BE(elements.length, 12); header.writeInt32BE(1, 16); }
  return Buffer.concat([header, ...elements.flatMap(element => {
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(element.length);
    return [length, element];
  })]);
}

const int8 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};

export const byteaArray = (values: readonly Buffer[]): Buffer => binaryArray(OIDS.bytea, values);
export const int8Array = (values: readonly number[]): Buffer => binaryArray(OIDS.int8, values.map(int8));
export const textArray = (values: readonly string[]): Buffer => binaryArray(OIDS.text, values.map(value => Buffer.from(value)));
