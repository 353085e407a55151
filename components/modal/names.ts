import { createHash } from "node:crypto";

/**
 * The names of a stack's things on Modal: at most 64 characters of letters, digits, `-`, `_` and `.`. Two stacks, or
 * two changelings, never share one.
 *
 * A name is made of parts that are each determined by their own text: a long part is cut, and ends with `.` and a hash
 * of the whole. So all names of a stack begin alike, which is how what nobody declares any more is found again.
 */

/** Modal's limit, for apps, secrets, volumes and environments alike. */
const longestName = 64;
const longestStack = 24;
/** `changeling_` + stack + `_` + changeling. */
const longestChangeling = longestName - "changeling_".length - longestStack - "_".length;
/** `changelings_` + stack + `_` + changeling + `_data`. */
const longestOfVolume = longestName - "changelings_".length - longestStack - "_".length - "_data".length;
const hashLength = 10;

/** The app that fires a changeling. */
export function appName(stack: string, changeling: string): string {
  return `changeling_${stackPart(stack)}_${part(changeling, longestChangeling)}`;
}

/** The Secret that holds a changeling's own secrets; it is named as its app is. */
export function secretName(stack: string, changeling: string): string {
  return appName(stack, changeling);
}

/** The Secret that holds what every app of the stack needs: the token, and the person's mngr identity. */
export function stackSecretName(stack: string): string {
  return `changelings_${stackPart(stack)}`;
}

/** The volume that functions alone see. */
export function homeVolumeName(stack: string): string {
  return `changelings_${stackPart(stack)}`;
}

/** The volume of the run records, which agents see too. */
export function runsVolumeName(stack: string): string {
  return `changelings_${stackPart(stack)}_runs`;
}

/** The volumes of a web changeling: its repo, and its data. They keep their names when it is renamed. */
export function webVolumeNames(stack: string, changeling: string): { readonly repo: string; readonly data: string } {
  const name = `changelings_${stackPart(stack)}_${part(changeling, longestOfVolume)}`;
  return { repo: `${name}_repo`, data: `${name}_data` };
}

/** mngr's own environment, named and cut exactly as mngr does it. */
export function environmentName({ prefix, userId }: { prefix: string; userId: string }): string {
  const name = `${prefix}${userId}`;
  return name.length <= longestName ? name : name.slice(0, longestName).replace(/[-_]+$/, "");
}

/** What stands in the name of an app or Secret of ours; parts that were cut as they stand there, see `stackPart`. */
export interface ParsedAppName {
  readonly stackPart: string;
  readonly changelingPart: string;
}

/** @returns undefined for a name that is none of ours */
export function parseAppName(name: string): ParsedAppName | undefined {
  const [, stack, changeling] = /^changeling_(.+)_([a-z][a-z0-9.-]*)$/.exec(name) ?? [];
  return stack === undefined || changeling === undefined ? undefined : { stackPart: stack, changelingPart: changeling };
}

/** @returns the stack's part; undefined for a volume that is no stack's home */
export function parseHomeVolumeName(name: string): string | undefined {
  const [, stack] = /^changelings_(.+)$/.exec(name) ?? [];
  return stack === undefined || isVolumeOfAnotherKind(stack) ? undefined : stack;
}

/** How the names of a stack's volumes end that are not its home. */
const isVolumeOfAnotherKind = (text: string) => /_(runs|data|repo)$/.test(text);

/** A stack as it stands in names. Without a hash another stack's home could be this one's runs volume. */
export function stackPart(stack: string): string {
  return part(stack, longestStack, isVolumeOfAnotherKind(stack));
}

/** A text that looks as if it had been cut is hashed too: so no text has the form of another that was cut. */
function part(text: string, longest: number, mustHash = false): string {
  const isCutLike = /\.[0-9a-f]{10}$/.test(text);
  if (text.length <= longest && !isCutLike && !mustHash) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, hashLength);
  return `${text.slice(0, longest - hashLength - 1)}.${hash}`;
}
