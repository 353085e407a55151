import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { clisOf, contextFor, release } from "../../../../components/seed-agent/image/context.ts";
import { serviceAssets } from "../../../../components/seed-agent/program/hot-reload/assets.ts";
import versions from "../../../../scripts/stack/setup/versions.json" with { type: "json" };

const project = join(import.meta.dirname, "../../../..");
const main = join(project, "test/support/stand-in-service.ts");
const folder = mkdtempSync(join(tmpdir(), "seed-image-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function filesOf(root: string): Record<string, string> {
  const paths = readdirSync(root, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    paths.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(root.length + 1), readFileSync(path, "utf8")];
    }),
  );
}

describe("the build context", () => {
  test("is the same for the same sources, and contains no path of this machine", async () => {
    const one = await contextFor({ folder: join(folder, "one"), main });
    const other = await contextFor({ folder: join(folder, "other", "deep"), main });
    expect(other.release).toBe(one.release);
    const files = filesOf(one.folder);
    expect(filesOf(other.folder)).toEqual(files);
    for (const [path, text] of Object.entries(files)) {
      expect(text.includes(project), path).toBe(false);
      expect(text.includes("../node_modules"), path).toBe(false);
    }
  });

  test("in another checkout, with another node_modules, is the same release", async () => {
    const checkout = join(folder, "checkout", "of", "another");
    mkdirSync(join(checkout, "test"), { recursive: true });
    for (const part of ["components", "package.json", "package-lock.json", "test/support", "VERSION"]) {
      if (!existsSync(join(project, part))) continue;
      cpSync(join(project, part), join(checkout, part), { recursive: true });
    }
    symlinkSync(join(project, "node_modules"), join(checkout, "node_modules"));
    const program = [
      `import { release } from ${JSON.stringify(join(checkout, "components/seed-agent/image/context.ts"))};`,
      `console.log(await release({ main: ${JSON.stringify(join(checkout, "test/support/stand-in-service.ts"))} }));`,
    ];
    expect(await outputOf(["--input-type=module", "-e", program.join("\n")])).toBe(await release({ main }));
  });

  test("has another release for another program, and for other CLIs", async () => {
    const releases = await Promise.all([
      release({ main }),
      release({ main: join(project, "test/support/laptop.ts") }),
      release({ main, clis: ["claude"] }),
      release({ main, clis: ["claude", "codex"] }),
    ]);
    expect(new Set(releases).size).toBe(4);
    expect(await release({ main, clis: ["codex", "claude"] })).toBe(releases[3]);
    for (const id of releases) expect(id).toMatch(/^\d+\.\d+\.\d+-[0-9a-f]{12}$/);
  });

  test("names its release, and the Node that this project uses", async () => {
    const { folder: context, release: id } = await contextFor({ folder: join(folder, "named"), main });
    const dockerfile = readFileSync(join(context, "Dockerfile"), "utf8");
    expect(dockerfile).toContain(`\nARG RELEASE=${id}\n`);
    expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${versions.node.packages["linux-x64"].version}-bookworm-slim\n`);
    expect(dockerfile.trimEnd().endsWith("USER 10001:10001")).toBe(true);
  });

  test("is built from a company's mirrors, which don't change the release", async () => {
    const sources = {
      base: "registry.example.com/node:{node}-bookworm-slim",
      debianArchive: "https://mirror.example.com/{archive}/{date}",
      npmRegistry: "https://npm.example.com/npm/",
      certificates: "-----BEGIN CERTIFICATE-----",
    };
    const mirrored = await contextFor({ folder: join(folder, "mirrored"), main, clis: ["claude"], sources });
    const plain = await contextFor({ folder: join(folder, "plain"), main, clis: ["claude"] });
    expect(mirrored.release).toBe(plain.release);
    const text = readFileSync(join(mirrored.folder, "Dockerfile"), "utf8");
    const { version } = versions.node.packages["linux-x64"];
    expect(text).toContain(`\nARG NODE_IMAGE=registry.example.com/node:${version}-bookworm-slim\n`);
    const parts = ["FROM", "ca-certificates/changelings.crt", "NODE_EXTRA_CA_CERTS", "com/debian-security/2026"];
    const order = [...parts, "registry https://npm", "install-packages.sh", "install-clis.sh", "npm ci"].map((part) =>
      text.indexOf(part),
    );
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(order).not.toContain(-1);
    expect(readFileSync(join(plain.folder, "Dockerfile"), "utf8")).not.toMatch(/changelings\.crt|deb \[|npm config/);
  });

  test("installs the CLIs before everything that changes with the service", async () => {
    const { folder: context } = await contextFor({ folder: join(folder, "order"), main, clis: ["claude"] });
    const text = readFileSync(join(context, "Dockerfile"), "utf8");
    expect(text.indexOf("install-clis.sh")).toBeLessThan(text.indexOf("COPY package.json"));
    expect(text.indexOf("npm cache clean")).toBeGreaterThan(text.indexOf("install-clis.sh"));
  });

  test("brings the first version's sources, and nothing that is not needed", async () => {
    const { folder: context } = await contextFor({ folder: join(folder, "parts"), main, clis: ["claude"] });
    expect(Object.keys(filesOf(context)).filter((path) => !path.startsWith("program/"))).toEqual(
      expect.arrayContaining([".dockerignore", "Dockerfile", "clis/claude/package-lock.json", "clis/install-clis.sh"]),
    );
    expect(Object.keys(filesOf(join(context, "program")))).toEqual(
      expect.arrayContaining(["main.mjs", ...Object.keys(await serviceAssets()).map((name) => `seed-assets/${name}`)]),
    );
    const lock = z
      .object({ packages: z.record(z.string(), z.object({ integrity: z.optional(z.string()) })) })
      .parse(JSON.parse(readFileSync(join(context, "package-lock.json"), "utf8")));
    const { "": own, ...packages } = lock.packages;
    expect(own).toBeDefined();
    expect(Object.keys(packages)).toContain("node_modules/@esbuild/linux-arm64");
    for (const [name, { integrity }] of Object.entries(packages)) expect(integrity, name).toMatch(/^sha512-/);
  });

  test("has only the CLI of an agent that improves itself", () => {
    expect(clisOf({ mode: "off", model: "claude" })).toEqual([]);
    expect(clisOf({ mode: "propose", model: "codex" })).toEqual(["codex"]);
  });
});

describe("the program in a bare folder", () => {
  let service: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const { folder: context } = await contextFor({ folder: join(folder, "bare"), main });
    const modules = join(context, "node_modules");
    mkdirSync(modules);
    // What npm ci would install from the context's lock file.
    for (const name of ["esbuild", "@esbuild", "typescript"]) {
      cpSync(join(project, "node_modules", name), join(modules, name), { recursive: true });
    }
    const env = { PATH: process.env["PATH"], PORT: "0", SEED_HOST: "127.0.0.1" };
    service = spawn(process.execPath, [join(context, "program/main.mjs")], { env, cwd: "/", stdio: "pipe" });
    service.stderr?.pipe(process.stderr);
    const [line] = await once(createInterface({ input: service.stdout ?? process.stdin }), "line");
    url = String(line).replace("listens at ", "");
  });
  afterAll(async () => {
    const ended = once(service, "exit");
    service.kill("SIGTERM");
    await ended;
  });

  test("runs with the packages of its package.json alone", async () => {
    const about = z.looseObject({ typescript: z.string(), esbuild: z.string() });
    const answer = await fetch(`${url}/about`);
    expect(about.parse(await answer.json())).toMatchObject({ typescript: "5.9.3", esbuild: "let one = 1;" });
  });

  test("is healthy for the image's check, and not if it answers otherwise, or not at all", async () => {
    const check = async (port: string) => {
      const file = join(folder, "bare", "healthcheck.mjs");
      const child = spawn(process.execPath, [file], { env: { PORT: port, SEED_HOST: "127.0.0.1" }, stdio: "inherit" });
      const [code] = await once(child, "exit");
      return code;
    };
    const { port } = new URL(url);
    expect(await check(port)).toBe(0);
    await fetch(`${url}/break`);
    expect(await check(port)).toBe(1);
    expect(await check("1")).toBe(1);
  });
});

async function outputOf(args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(0);
  return text.trim();
}
