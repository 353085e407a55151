/** @returns undefined for a key such as "constructor", which every object inherits, if the record does not have it itself */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
