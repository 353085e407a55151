import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { projectFolder } from "../project.ts";
import { problemOf, projectName, pulumi, type Stack, shortNameOf } from "../stack.ts";

/**
 * Provides an empty stack with the settings of another one, except its secrets. Its backend is a temporary folder, so
 * no key is needed.
 */
export async function withEmptyStack<Result>(of: Stack, use: (stack: Stack) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-preview-"));
  try {
    return await use(await emptyStack(of, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function emptyStack(of: Stack, folder: string): Promise<Stack> {
  const name = shortNameOf(of);
  const stack = {
    name,
    backend: `file://${join(folder, "backend")}`,
    passphraseFile: join(folder, "passphrase"),
    configFile: join(folder, `Pulumi.${name}.yaml`),
  };
  mkdirSync(join(folder, "backend"));
  writeFileSync(stack.passphraseFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  // `stack select --create` takes no --config-file and writes beside a Pulumi.yaml. This keeps it away from the
  // project's.
  writeFileSync(join(folder, "Pulumi.yaml"), `name: ${projectName}\nruntime: nodejs\n`);
  await succeed(stack, ["stack", "select", "--create", "--non-interactive", "--cwd", folder]);
  const declared = of.configFile ?? join(projectFolder, `Pulumi.${name}.yaml`);
  if (existsSync(declared)) {
    const lines = Object.entries(await plainSettings(stack, declared)).map(
      ([key, value]) => `  ${key}: ${JSON.stringify(value)}`,
    );
    const salt = readFileSync(stack.configFile, "utf8").trimEnd();
    writeFileSync(stack.configFile, `${salt}\nconfig:\n${lines.join("\n")}\n`);
  }
  return stack;
}

const settings = z.record(z.string(), z.object({ value: z.optional(z.string()) }));

async function plainSettings(stack: Stack, configFile: string): Promise<Record<string, string>> {
  const read = settings.parse(JSON.parse(await succeed({ ...stack, configFile }, ["config", "--json"])));
  return Object.fromEntries(
    Object.entries(read).flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]])),
  );
}

async function succeed(stack: Stack, args: readonly string[]): Promise<string> {
  const ended = await pulumi(stack, args, { capture: true });
  if (ended.code !== 0) throw new Error(problemOf(ended));
  return ended.stdout;
}
