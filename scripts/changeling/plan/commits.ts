import { homedir } from "node:os";
import { isRepoUrl } from "../../../components/git/repo-name.ts";
import type { FieldChange } from "../../../components/lib/field-changes.ts";
import { absolutePath } from "../../../components/lib/portable-path.ts";
import { commitsBetween } from "../../../components/source/tip.ts";
import { projectFolder } from "../../stack/project.ts";
import type { PlannedChange } from "./summary.ts";

/**
 * The changed fields. For a pinned commit, also the number of new commits, if a repository on this machine contains
 * them.
 */
export async function withCommits({ fields, pinnedFrom }: PlannedChange): Promise<readonly FieldChange[]> {
  const commit = fields.find(({ field }) => field === "commit");
  if (commit?.before === undefined || commit.after === undefined || pinnedFrom === undefined) return fields;
  if (isRepoUrl(pinnedFrom)) return fields;
  const repo = absolutePath(pinnedFrom, { project: projectFolder, home: homedir() });
  const count = await commitsBetween({ repo, from: commit.before, to: commit.after }, process.env);
  if (count === undefined) return fields;
  const after = `${commit.after} (${count} new commit${count === 1 ? "" : "s"})`;
  return fields.map((each) => (each === commit ? { ...commit, after } : each));
}
