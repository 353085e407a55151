import { type Git, GitError } from "./git.ts";

/** A value of one of git's settings. A setting may have several. */
export interface Setting {
  readonly name: string;
  /** `local` if the repository itself sets it; `system`, `global`, `worktree` or `command`. */
  readonly scope: string;
  readonly value: string;
}

/**
 * The values of git's settings, in one git process; none if git can't read them.
 * @param names of lower-case letters and dots, for instance `user.email`
 */
export async function settingsIn(git: Git, names: readonly string[]): Promise<readonly Setting[]> {
  const pattern = `^(${names.map((name) => name.replaceAll(".", "\\.")).join("|")})$`;
  try {
    const fields = (await git.run(["config", "-z", "--show-scope", "--get-regexp", pattern])).split("\0");
    return fields.flatMap((scope, index) => {
      const [name = "", ...value] = (fields[index + 1] ?? "").split("\n");
      return index % 2 === 0 && name !== "" ? [{ name, scope, value: value.join("\n") }] : [];
    });
  } catch (error) {
    // None of them is set, or git can't read its settings, which its next command reports.
    if (error instanceof GitError) return [];
    throw error;
  }
}

/** Sets the repository's own settings that differ from these. @param found its values, see `settingsIn` @throws GitError */
export async function setSettings(
  git: Git,
  wanted: Readonly<Record<string, string>>,
  found: readonly Setting[],
): Promise<void> {
  for (const [name, value] of Object.entries(wanted)) {
    const [own, ...others] = found.filter((each) => each.name === name && each.scope === "local");
    if (own?.value !== value || others.length > 0) await git.run(["config", name, value]);
  }
}
