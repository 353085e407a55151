import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { projectFolder } from "../../scripts/stack/project.ts";
import { stepsOf } from "./markdown.ts";
import { type Ended, type Program, runScript } from "./run-script.ts";

/** They have tests of their own: the first start and the end. A browser would open on the machine that runs the tests. */
const skipped = ["Start", "Talk to the web agent", "Stop"];
/** Commands that the tutorial runs while something is wrong. */
const failing = /-- (validate|doctor)/;

/**
 * Follows docs/tutorial.md literally: edits the fleet file as its TOML blocks say, runs its commands, and compares what
 * they print with the text.
 * @param after called after each command
 */
export async function followTutorial(
  home: string,
  env: NodeJS.ProcessEnv,
  after: (command: string) => Promise<void>,
): Promise<void> {
  const fleetFile = join(home, ".changelings", "dev", "fleet.toml");
  let beforeEdit = "";
  for (const step of stepsOf(readFileSync(join(projectFolder, "docs", "tutorial.md"), "utf8"))) {
    if (skipped.includes(step.heading)) continue;
    if ("block" in step) {
      beforeEdit = readFileSync(fleetFile, "utf8");
      writeFileSync(fleetFile, edited(beforeEdit, step.block));
      continue;
    }
    const { code, stdout, output } = await run(step.command, env);
    expect(code, `${step.command}: ${output}`).toBe(failing.test(step.command) ? 1 : 0);
    if (step.output !== "") expect(comparable(stdout, home), step.command).toBe(comparable(step.output, "/home/me"));
    // "Undo that edit."
    if (step.command.includes("validate")) writeFileSync(fleetFile, beforeEdit);
    await after(step.command);
  }
}

async function run(command: string, env: NodeJS.ProcessEnv): Promise<Pick<Ended, "code" | "stdout" | "output">> {
  const [, script, args = ""] = /^npm (?:run )?([a-z]+)(?: -- (.*))?$/.exec(command) ?? [];
  if (script !== undefined) return runScript(script as Program, args === "" ? [] : args.split(" "), env);
  const stdout = execFileSync("sh", ["-c", command], { env, encoding: "utf8" });
  return { code: 0, stdout, output: stdout };
}

/** Sets the options of a block, each in a line of its own below the table's header, or in place of its value. */
function edited(text: string, block: string): string {
  const [header = "", ...options] = block.trim().split("\n");
  return options.reduce((before, option) => {
    const [name] = option.split(" = ");
    const [head = "", table = ""] = before.split(`${header}\n`);
    const [own = "", ...rest] = table.split(/(?=^\[)/m);
    const line = new RegExp(`^${name} = .*$`, "m");
    const changed = line.test(own) ? own.replace(line, option) : `${option}\n${own}`;
    return `${head}${header}\n${changed}${rest.join("")}`;
  }, text);
}

/** Without what differs from machine to machine and from day to day. */
function comparable(text: string, home: string): string {
  return text
    .replaceAll(home, "HOME")
    .replace(/\.toml:\d+:/g, ".toml:LINE:")
    .replace(/, [\w/+-]+: next/g, ", ZONE: next")
    .replace(/\w{3} \d{1,2} \w{3} \d\d:\d\d/g, "TIME")
    .trimEnd();
}
