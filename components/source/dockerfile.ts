import { type Environment, git, localSeconds } from "../git/ask-git.ts";
import type { Problem } from "../git/remote.ts";

/**
 * Why mngr 0.3.0 can't build an image on Modal from a Dockerfile, as far as its text shows: mngr builds only one stage,
 * and parses each line of a heredoc as an instruction.
 */
export function dockerfileProblem(text: string): Problem | undefined {
  const instructions = instructionsOf(text);
  const heredoc = instructions.find(({ word, line }) => ["RUN", "COPY", "ADD"].includes(word) && isHeredoc(line));
  if (heredoc !== undefined) {
    return {
      message: `its Dockerfile has a heredoc (${JSON.stringify(heredoc.line.slice(0, 60))}), which mngr does not build on Modal`,
      remedy: "write a script into the repository, COPY it and RUN it",
    };
  }
  const stages = instructions.filter(({ word }) => word === "FROM").length;
  if (stages === 1) return undefined;
  const message =
    stages === 0
      ? "its Dockerfile has no FROM"
      : "its Dockerfile has several stages, which mngr does not build on Modal";
  const remedy = stages === 0 ? "add FROM <image>" : "build it elsewhere, and start FROM that image in one stage";
  return { message, remedy };
}

/** The keyword of each instruction in capitals, and its text. Comments are skipped, and continued lines joined. */
function instructionsOf(text: string): { word: string; line: string }[] {
  const found: { word: string; line: string }[] = [];
  let line = "";
  for (const part of text.split("\n").map((each) => each.trimEnd())) {
    if (/^\s*(#|$)/.test(part)) continue;
    line += part.endsWith("\\") ? `${part.slice(0, -1)} ` : part;
    if (part.endsWith("\\")) continue;
    found.push({ word: (/^\s*(\S+)/.exec(line)?.[1] ?? "").toUpperCase(), line: line.trim() });
    line = "";
  }
  return found;
}

function isHeredoc(line: string): boolean {
  return /(^|[^<])<<-?(["']?)[A-Za-z_]\w*\2(\s|$|[|;&>)])/.test(line);
}

/** Checks the Dockerfile of a commit in a local repository; undefined also if there is none. */
export async function dockerfileProblemAt(
  { repo, commit }: { readonly repo: string; readonly commit: string },
  environment: Environment,
): Promise<Problem | undefined> {
  const { code, stdout } = await git(
    ["-C", repo, "cat-file", "blob", `${commit}:Dockerfile`],
    environment,
    localSeconds,
  );
  return code === 0 ? dockerfileProblem(stdout) : undefined;
}
