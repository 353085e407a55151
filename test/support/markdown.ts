import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../scripts/stack/project.ts";

export interface MarkdownFile {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
}

/** Every Markdown file of the project, also one that is not committed yet. */
export function markdownFiles(): MarkdownFile[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], {
    cwd: projectFolder,
    encoding: "utf8",
  });
  const removed = execFileSync("git", ["ls-files", "-z", "--deleted", "*.md"], {
    cwd: projectFolder,
    encoding: "utf8",
  });
  const gone = new Set(removed.split("\0"));
  return listed
    .split("\0")
    .filter((path) => path !== "" && !gone.has(path))
    .map((path) => ({ path, text: readFileSync(join(projectFolder, path), "utf8") }));
}

/** The targets of links and pictures, outside of code. */
export function linksOf(text: string): string[] {
  const prose = text.replace(/^( *)(```|~~~).*?^ *\2/gms, "").replace(/`[^`\n]*`/g, "");
  const links = prose.matchAll(/\]\(([^()\s]+)(?: "[^"]*")?\)/g);
  const definitions = prose.matchAll(/^\[[^\]]+\]: (\S+)/gm);
  const pictures = prose.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g);
  return [...links, ...definitions, ...pictures].map(([, target = ""]) => target);
}

/** The anchors of a file's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replace(/^( *)(```|~~~).*?^ *\2/gms, "").matchAll(/^#{1,6} +(.+)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** What is to be typed: the lines of fenced blocks after a `$`, or all of a block of shell, and code in the text. */
export function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```(\w*)\n(.*?)^ *```/gms)].flatMap(([, language = "", block = ""]) => {
    const lines = block.replaceAll("\\\n", " ").split("\n");
    if (language === "console") return lines.flatMap((line) => /^ *\$ (.*)$/.exec(line)?.[1] ?? []);
    return language === "sh" || language === "bash" ? lines : [];
  });
  const prose = text.replace(/^ *```.*?^ *```/gms, "");
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
  return [...blocks, ...spans].map((command) => command.replace(/(^|\s)#\s.*$/, "").trim());
}
