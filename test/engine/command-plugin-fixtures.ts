import { once } from "node:events";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod/mini";
import { PluginDriver } from "./plugin-driver.ts";
import { type Answer, answer, type Request, request } from "./plugin-messages.ts";

/** A question, the files around it (a script is executable), and the official plugin's answer. */
const scenario = z.strictObject({
  name: z.string(),
  files: z.optional(z.record(z.string(), z.string())),
  request,
  answer,
});
export type Scenario = z.infer<typeof scenario>;

/** One file of recorded answers. */
export const fixture = z.strictObject({ about: z.string(), scenarios: z.array(scenario) });

export const fixtureNames = ["check", "diff", "lifecycle", "process", "assets", "cancel"] as const;
export const fixturePath = (name: string) => join(import.meta.dirname, `../fixtures/command-plugin/${name}.json`);

/** All that a command of a scenario inherits. */
const environment = { PATH: "/usr/bin:/bin", GREETING: "from the engine" };

class Folder implements AsyncDisposable {
  readonly path: string;
  private constructor(path: string) {
    this.path = path;
  }
  static async create(): Promise<Folder> {
    return new Folder(await realpath(await mkdtemp(join(tmpdir(), "command-plugin-"))));
  }
  async fill(files: Record<string, string>): Promise<void> {
    for (const entry of await readdir(this.path)) await rm(join(this.path, entry), { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      const file = join(this.path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode: content.startsWith("#!") ? 0o755 : 0o644 });
    }
  }
  /** Replaces `$DIR` by this folder's path and `$X{length}` by a long text; `leave` does the reverse. */
  enter(message: Request): Request {
    const text = JSON.stringify(message)
      .replaceAll("$DIR", this.path)
      .replace(/\$X\{(\d+)\}/g, (_, length: string) => "x".repeat(Number(length)));
    return request.parse(JSON.parse(text));
  }
  leave(reply: Answer): Answer {
    const text = JSON.stringify(reply)
      .replaceAll(this.path, "$DIR")
      .replace(/x{1000,}/g, (run) => `$X{${run.length}}`);
    return answer.parse(JSON.parse(text));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Asks a plugin executable every question in turn. */
export async function ask(executable: string, scenarios: Scenario[]): Promise<Answer[]> {
  await using folder = await Folder.create();
  await using plugin = await PluginDriver.start(executable, folder.path, environment);
  const answers: Answer[] = [];
  for (const scenario of scenarios) {
    await folder.fill(scenario.files ?? {});
    answers.push(folder.leave(await plugin.send(folder.enter(scenario.request))));
  }
  return answers;
}

/** The same, with a Cancel as soon as the first question's command has printed something. */
export async function askAroundCancel(executable: string, scenarios: Scenario[]): Promise<Answer[]> {
  await using folder = await Folder.create();
  await using plugin = await PluginDriver.start(executable, folder.path, environment);
  const [first, ...rest] = scenarios;
  if (first === undefined) return [];
  const running = once(plugin.log, "line");
  const ended = plugin.send(first.request);
  await running;
  await plugin.cancel();
  const answers = [await ended];
  for (const scenario of rest) answers.push(await plugin.send(scenario.request));
  return answers;
}
