import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { projectFolder } from "../../../../../scripts/stack/project.ts";

/** The parser that Pulumi reads its own files with. actionlint, which `npm run check` runs, knows the rest of GitHub's. */
const yaml: { load(text: string): unknown } = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"))(
  "js-yaml",
);
const read = (file: string) => readFileSync(join(projectFolder, file), "utf8");

const step = z.object({
  uses: z.optional(z.string()),
  run: z.optional(z.string()),
  if: z.optional(z.string()),
  env: z.optional(z.record(z.string(), z.string())),
  with: z.optional(z.record(z.string(), z.unknown())),
});
const job = z.object({ permissions: z.record(z.string(), z.string()), steps: z.array(step) });
const workflow = z.object({
  permissions: z.record(z.string(), z.string()),
  concurrency: z.object({ group: z.string(), "cancel-in-progress": z.boolean() }),
  env: z.record(z.string(), z.string()),
  jobs: z.record(z.string(), job),
});
const github = (name: string) => workflow.parse(yaml.load(read(`.github/workflows/${name}.yml`)));
const stepsOf = (name: string) => Object.values(github(name).jobs).flatMap(({ steps }) => steps);

const gitlabJob = z.object({
  script: z.array(z.string()),
  after_script: z.optional(z.array(z.string())),
  resource_group: z.optional(z.string()),
  rules: z.array(z.object({ if: z.string() })),
});
const gitlab = z
  .object({
    variables: z.record(z.string(), z.string()),
    default: z.object({ image: z.string(), before_script: z.array(z.string()) }),
    preview: gitlabJob,
    apply: gitlabJob,
  })
  .parse(yaml.load(read(".gitlab-ci.yml")));

describe("GitHub's workflows", () => {
  it("are these, and do nothing in a repository that holds no fleet", () => {
    expect(readdirSync(join(projectFolder, ".github/workflows")).sort()).toEqual(["apply.yml", "preview.yml"]);
    for (const name of ["preview", "apply"]) {
      expect(github(name).env).toEqual({ CHANGELINGS_STACK: "", PULUMI_BACKEND_URL: "" });
      for (const { if: condition = "" } of stepsOf(name)) {
        expect(condition).toMatch(/^(env\.CHANGELINGS_STACK != ''|.*steps\.preview\.outcome == 'failure'\).*)$/);
      }
    }
  });

  it("have the least permissions, and one action, pinned by its commit", () => {
    const permissions = (name: string) => Object.values(github(name).jobs).map((each) => each.permissions);
    expect(github("preview").permissions).toEqual({});
    expect(permissions("preview")).toEqual([{ contents: "read", "pull-requests": "write" }]);
    expect(github("apply").permissions).toEqual({});
    expect(permissions("apply")).toEqual([{ contents: "read" }]);
    for (const name of ["preview", "apply"]) {
      const [first, ...rest] = stepsOf(name);
      expect(first?.uses).toMatch(/^actions\/checkout@[0-9a-f]{40}$/);
      expect(first?.with).toEqual({ "persist-credentials": false });
      expect(rest.filter(({ uses }) => uses !== undefined)).toEqual([]);
    }
  });

  it("never end an apply half-way, nor run two; a newer preview ends an older one of the same pull request", () => {
    expect(github("apply").concurrency).toEqual({ group: "changelings-apply", "cancel-in-progress": false });
    const pull = "$" + "{{ github.event.pull_request.number }}";
    const preview = { group: `changelings-preview-${pull}`, "cancel-in-progress": true };
    expect(github("preview").concurrency).toEqual(preview);
  });

  it("give preview and apply the same secrets, and the agents never the job's own token", () => {
    const envOf = (name: string, command: string) => stepsOf(name).find(({ run }) => run?.includes(command))?.env;
    const secrets = envOf("apply", "pipeline -- apply");
    expect(secrets).toHaveProperty("GITHUB_TOKEN", "$" + "{{ secrets.AGENT_GITHUB_TOKEN }}");
    expect(envOf("preview", "pipeline -- preview")).toEqual(secrets);
    expect(envOf("preview", "pipeline -- comment")).toEqual({ GITHUB_TOKEN: "$" + "{{ github.token }}" });
    const withSecrets = [...stepsOf("preview"), ...stepsOf("apply")].filter(({ env }) => env !== undefined);
    expect(withSecrets).toHaveLength(3);
  });
});

describe("GitLab's file", () => {
  it("does nothing in a repository that holds no fleet, and one apply at a time", () => {
    expect(gitlab.variables).toEqual({ CHANGELINGS_STACK: "", PULUMI_BACKEND_URL: "" });
    for (const { rules } of [gitlab.preview, gitlab.apply]) {
      for (const { if: condition } of rules) expect(condition).toMatch(/^\$CHANGELINGS_STACK && /);
    }
    expect(gitlab.apply.resource_group).toBe("changelings-apply");
  });

  it("runs what GitHub's workflows run", () => {
    const { preview, apply } = gitlab;
    const commands = [
      ...gitlab.default.before_script,
      ...preview.script,
      ...(preview.after_script ?? []).map((line) => /npm run [^;]+/.exec(line)?.[0]),
    ];
    const runs = (name: string) => stepsOf(name).flatMap(({ run }) => (run === undefined ? [] : [run]));
    expect(commands).toEqual(runs("preview"));
    expect([...gitlab.default.before_script, ...apply.script]).toEqual(runs("apply"));
  });
});

it("every line runs a script that exists, with a command and options that it takes", () => {
  const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read("package.json")));
  const lines = ["preview", "apply"].flatMap(stepsOf).flatMap(({ run }) => (run === undefined ? [] : [run]));
  expect(lines).toHaveLength(5);
  for (const line of lines) {
    const [, name = "", , rest = ""] = /^npm run (\S+)( -- (.*))?$/.exec(line) ?? [];
    expect(scripts[name]).toBe(`node scripts/stack/launch.mjs ${name}`);
    if (rest === "") continue;
    const [command = "", ...args] = rest.split(" ");
    const launch = [join(projectFolder, "scripts/stack/launch.mjs"), name, command, "--help"];
    const { stdout, status } = spawnSync(process.execPath, launch, { encoding: "utf8" });
    expect(status).toBe(0);
    for (const option of args.filter((arg) => arg.startsWith("--"))) expect(stdout).toContain(option);
  }
});
