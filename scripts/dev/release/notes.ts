const unreleased = /^## Unreleased[ \t]*\n/m;

/** A changelog whose unreleased changes are now those of a version, below a new, empty heading. */
export function released(changelog: string, version: string, today: string): string {
  const heading = `## Unreleased\n\n## ${version} (${today})\n`;
  return unreleased.test(changelog) ? changelog.replace(unreleased, heading) : `${changelog.trimEnd()}\n\n${heading}`;
}

/** The text below `## Unreleased`, without the heading; empty if there is none. */
export function unreleasedChanges(changelog: string): string {
  const start = unreleased.exec(changelog);
  if (start === null) return "";
  const rest = changelog.slice(start.index + start[0].length);
  const end = rest.search(/^## /m);
  return (end === -1 ? rest : rest.slice(0, end)).trim();
}

export interface Summarized {
  readonly kind: string;
  readonly version: string;
  readonly tag: string;
  readonly today: string;
  /** Subjects, newest first. */
  readonly commits: readonly string[];
  /** Before the release. */
  readonly changelog: string;
}

/** RELEASE_SUMMARY.md. */
export function summary({ kind, version, tag, today, commits, changelog }: Summarized): string {
  const changes = unreleasedChanges(changelog) || "No change is in the changelog.";
  return `# Release ${version}

A ${kind} release of ${today}, tagged \`${tag}\`.

## Changes

${changes.replace(/^#/gm, "##")}

## Commits

${commits.map((subject) => `- ${subject}`).join("\n")}
`;
}
