import { createHash } from "node:crypto";

/**
 * The names of a stack's resources on Modal: at most 64 characters of letters, digits, `-`, `_` and `.`. Two stacks, or
 * two changelings, never share a name.
 *
 * Each part of a name depends on its own text alone: a long part is truncated, and ends with `.` and a hash of the
 * whole. So all names of a stack have a common prefix, which is how orphans are found.
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

/** The Secret with a changeling's own secrets. It has the same name as the changeling's app. */
export function secretName(stack: string, changeling: string): string {
  return appName(stack, changeling);
}

/** The Secret that every app of the stack needs: the token, and the user's mngr identity. */
export function stackSecretName(stack: string): string {
  return `changelings_${stackPart(stack)}`;
}

/** The volume that only functions can access. */
export function homeVolumeName(stack: string): string {
  return `changelings_${stackPart(stack)}`;
}

/** The volume of the run records, which agents can access too. */
export function runsVolumeName(stack: string): string {
  return `changelings_${stackPart(stack)}_runs`;
}

/** The volumes of a web changeling: its repo, and its data. They keep their names when it is renamed. */
export function webVolumeNames(stack: string, changeling: string): { readonly repo: string; readonly data: string } {
  const name = `changelings_${stackPart(stack)}_${part(changeling, longestOfVolume)}`;
  return { repo: `${name}_repo`, data: `${name}_data` };
}

/** The app of an installation's coding sandboxes. */
export function sandboxAppName(installation: string): string {
  return `changelings_${stackPart(installation)}_sandboxes`;
}

/** The name of a volume that is named elsewhere: as it is, where Modal allows that. */
export function volumeName(name: string): string {
  const allowed = name.replaceAll(/[^\w.-]/g, "-");
  return part(name, longestName, allowed !== name).replaceAll(/[^\w.-]/g, "-");
}

/** mngr's own environment, named and truncated exactly as mngr does it. */
export function environmentName({ prefix, userId }: { prefix: string; userId: string }): string {
  const name = `${prefix}${userId}`;
  return name.length <= longestName ? name : name.slice(0, longestName).replace(/[-_]+$/, "");
}

/** The parts of an app's or Secret's name. Long parts stay truncated, see `stackPart`. */
export interface ParsedAppName {
  readonly stackPart: string;
  readonly changelingPart: string;
}

/** @returns undefined for a name that is not ours */
export function parseAppName(name: string): ParsedAppName | undefined {
  const [, stack, changeling] = /^changeling_(.+)_([a-z][a-z0-9.-]*)$/.exec(name) ?? [];
  return stack === undefined || changeling === undefined ? undefined : { stackPart: stack, changelingPart: changeling };
}

/** @returns the stack's part; undefined for a volume that is not a stack's home */
export function parseHomeVolumeName(name: string): string | undefined {
  const [, stack] = /^changelings_(.+)$/.exec(name) ?? [];
  return stack === undefined || isVolumeOfAnotherKind(stack) ? undefined : stack;
}

/** The suffixes of a stack's other volumes. */
const isVolumeOfAnotherKind = (text: string) => /_(runs|data|repo)$/.test(text);

/** A stack's part of a name. Without a hash, one stack's home volume could have the name of another's runs volume. */
export function stackPart(stack: string): string {
  return part(stack, longestStack, isVolumeOfAnotherKind(stack));
}

/** A text that looks truncated is hashed too, so that no text equals the truncated form of another. */
function part(text: string, longest: number, mustHash = false): string {
  const isCutLike = /\.[0-9a-f]{10}$/.test(text);
  if (text.length <= longest && !isCutLike && !mustHash) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, hashLength);
  return `${text.slice(0, longest - hashLength - 1)}.${hash}`;
}
