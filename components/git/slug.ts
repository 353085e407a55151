/** A repository's own name, as it may stand in names of resources and files: `git@host:me/My App.git` is `my-app`. */
export function slugOf(repo: string): string {
  const last = repo.replace(/(\.git)?\/*$/, "").replace(/^.*[/:]/, "");
  const slug = last
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 30)
    .replace(/-$/, "");
  return slug === "" ? "repo" : slug;
}
