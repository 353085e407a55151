import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectFolder } from "../../scripts/stack/project.ts";
import { compileCache } from "../support/compile-cache.ts";

/** Names and paths that are in the state of stacks: none may ever go. */
const inStates = [
  ...["forwarding-image", "forwarding-server", "local-job", "local-scheduler", "local-secrets", "modal-app"],
  ...["modal-home", "modal-secret", "modal-web-agent", "repo-snapshot", "repo-tarball", "web-agent"],
];

function run(...args: string[]) {
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", ...compileCache };
  return spawnSync(process.execPath, args, { cwd: projectFolder, env, encoding: "utf8" });
}

// By the path that each had before 0.2, which takes the same table as `scripts/command.ts NAME`.
it.each([...inStates.map((name) => [`scripts/${name}.ts`]), ["scripts/command.ts", "local-job"]])(
  "%s %s runs its command",
  (...command) => {
    const { status, stdout, stderr } = run(...command, "remove");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: this command is run by `pulumi up`, which sets its environment; it lacks /);
  },
);

it("names what there is", () => {
  const usage = `usage: node scripts/command.ts `;
  for (const args of [["scripts/command.ts"], ["scripts/command.ts", "toString", "apply"], ["scripts/local-job.ts"]]) {
    const { status, stdout, stderr } = run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.startsWith(usage)).toBe(true);
    const names = stderr.slice(usage.length).split(" ")[0]?.split("|") ?? [];
    expect(names.filter((name) => inStates.includes(name)).sort()).toEqual(inStates);
  }
});

it("runs every *.command.ts, and every name that a resource uses", () => {
  const tables = ["scripts/command.ts", ...globSync("components/*/commands.ts", { cwd: projectFolder })];
  const text = tables.map((file) => readFileSync(join(projectFolder, file), "utf8")).join("\n");
  for (const file of globSync("components/**/*.command.ts", { cwd: projectFolder })) {
    expect(text).toContain(`/${file.split("/").slice(2).join("/")}")`);
  }
  const sources = globSync("components/{cron,secrets,source,stack,web}/**/*.ts", { cwd: projectFolder });
  const used = sources.flatMap((file) =>
    [...readFileSync(join(projectFolder, file), "utf8").matchAll(/\bcommand: "([\w-]+)"/g)].map(([, name]) => name),
  );
  expect(used.length).toBeGreaterThan(9);
  for (const name of used) expect(text).toContain(`"${name}": () => import(`);
});
