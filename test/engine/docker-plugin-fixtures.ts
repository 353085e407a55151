import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod/mini";
import { PluginDriver } from "./plugin-driver.ts";
import { type Answer, type Bag, bag, type Request, request } from "./plugin-messages.ts";

/** What a plugin answered, without what differs from run to run and without what only the official one keeps. */
const tidyAnswer = z.strictObject({
  response: z.optional(bag),
  error: z.optional(z.strictObject({ code: z.string(), message: z.string() })),
});
export type TidyAnswer = z.infer<typeof tidyAnswer>;

const requestsFixture = z.strictObject({
  about: z.string(),
  scenarios: z.array(z.strictObject({ name: z.string(), request, answer: tidyAnswer })),
});

const diffFixture = z.strictObject({
  about: z.string(),
  bases: z.record(z.string(), z.strictObject({ token: z.string(), inputs: bag, state: bag })),
  scenarios: z.array(
    z.strictObject({
      name: z.string(),
      on: z.string(),
      was: z.optional(bag),
      state: z.optional(bag),
      news: z.optional(bag),
      answer: tidyAnswer,
    }),
  ),
});

const lifecycleFixture = z.strictObject({
  about: z.string(),
  scenarios: z.array(
    z.strictObject({
      name: z.string(),
      docker: z.optional(z.array(z.string())),
      /** A text that begins with `$name.` is replaced by a part of an earlier answer. */
      request: z.looseObject({ method: z.string() }),
      save: z.optional(z.string()),
      answer: tidyAnswer,
    }),
  ),
});

type Name = "requests" | "diff" | "lifecycle";

export const fixturePath = (name: Name) => join(import.meta.dirname, `../fixtures/docker-plugin/${name}.json`);
const read = (name: Name): unknown => JSON.parse(readFileSync(fixturePath(name), "utf8"));
/** The questions, with the official plugin's answers. */
export const fixtures = {
  requests: requestsFixture.parse(read("requests")),
  diff: diffFixture.parse(read("diff")),
  lifecycle: lifecycleFixture.parse(read("lifecycle")),
};

/** The daemon that a plugin is asked with, as far as these questions need it. */
export interface Daemon {
  env: Readonly<Record<string, string>>;
  baseImage: string;
  docker(...args: readonly string[]): Promise<string>;
}

const start = (executable: string, env: Readonly<Record<string, string>> = {}) =>
  PluginDriver.start(executable, tmpdir(), { PATH: process.env["PATH"] ?? "", HOME: tmpdir(), ...env });

/** Asks a plugin executable every question of requests.json. */
export async function askRequests(executable: string): Promise<TidyAnswer[]> {
  await using plugin = await start(executable);
  const answers: TidyAnswer[] = [];
  for (const scenario of fixtures.requests.scenarios) answers.push(tidy(await plugin.send(scenario.request)));
  return answers;
}

/** Asks for every difference of diff.json. */
export async function askDiffs(executable: string): Promise<TidyAnswer[]> {
  await using plugin = await start(executable);
  const { bases, scenarios } = fixtures.diff;
  const answers: TidyAnswer[] = [];
  for (const { on, was, state, news } of scenarios) {
    const base = bases[on];
    if (base === undefined) throw new Error(`diff.json has no base ${on}`);
    const oldInputs = { __defaults: [], ...base.inputs, ...was };
    const olds = { ...base.state, ...was, ...state };
    const asked: Request = { method: "diff", token: base.token, id: "abc", olds, oldInputs };
    answers.push(tidy(await plugin.send({ ...asked, news: { __defaults: [], ...base.inputs, ...news } })));
  }
  return answers;
}

/** Goes through lifecycle.json with a daemon. */
export async function askLifecycle(executable: string, daemon: Daemon): Promise<TidyAnswer[]> {
  await using plugin = await start(executable, daemon.env);
  const mark = `docker-plugin-${randomBytes(4).toString("hex")}`;
  const enter = (text: string) => text.replaceAll("$MARK", mark).replaceAll("$IMAGE", daemon.baseImage);
  const leave = (text: string) => text.replaceAll(mark, "$MARK").replaceAll(daemon.baseImage, "$IMAGE");
  const saved: Record<string, Bag> = {};
  const answers: TidyAnswer[] = [];
  try {
    for (const scenario of fixtures.lifecycle.scenarios) {
      if (scenario.docker !== undefined) await daemon.docker(...scenario.docker.map(enter));
      const asked = JSON.parse(enter(JSON.stringify(scenario.request)), (_key, value: unknown) => {
        const [, name = "", part = ""] = /^\$(\w+)\.(\w+)$/.exec(typeof value === "string" ? value : "") ?? [];
        return saved[name]?.[part] ?? value;
      });
      const answer = await plugin.send(request.parse(asked));
      if (scenario.save !== undefined) saved[scenario.save] = answer.response ?? {};
      answers.push(tidyAnswer.parse(JSON.parse(leave(JSON.stringify(tidy(answer))))));
    }
    return answers;
  } finally {
    const containers = await daemon.docker("ps", "--all", "--quiet", "--filter", `name=${mark}`);
    if (containers !== "") await daemon.docker("rm", "--force", "--volumes", ...containers.split("\n"));
    await daemon.docker("volume", "rm", "--force", `${mark}-v`);
  }
}

function tidy({ response, error }: Answer): TidyAnswer {
  if (error !== undefined) return { error: { code: error.code, message: withoutIds(unframed(error.message)) } };
  const { stables, ...rest } = response ?? {};
  const { properties } = rest;
  const known = properties && { properties: nonzero(properties) };
  return {
    response: bag.parse(JSON.parse(withoutIds(JSON.stringify(sorted({ ...rest, ...known }))))),
  };
}

/** The bridge to Terraform wraps every error, and container runtimes have different texts. */
const unframed = (text: string): string =>
  (/^(?:\w+ urn:\S+: )?1 error occurred:\n\t\* (.*?)\n*$/s.exec(text)?.[1] ?? text).replace(
    /((?:Unable to start container|with image \S+): .*?Error response from daemon: ).*/s,
    "$1…",
  );

type Json = z.infer<ReturnType<typeof z.json>>;
const isObject = (value: Json): value is Bag => typeof value === "object" && value !== null && !Array.isArray(value);

/** For Terraform, and so for the official plugin, an empty value of a type is as good as none. */
function nonzero(value: Json): Json {
  if (Array.isArray(value)) return value.map(nonzero);
  if (!isObject(value)) return value;
  const bridges = ["__meta", "__pulumi_raw_state_delta"];
  const kept = Object.entries(value).filter(([name, part]) => !bridges.includes(name) && !isZero(part));
  return Object.fromEntries(kept.map(([name, part]) => [name, nonzero(part)]));
}
const isZero = (value: Json): boolean => (typeof value === "object" ? Object.keys(value ?? {}).length === 0 : !value);

/** Sets come in any order. */
const sets = ["envs", "groupAdds", "labels", "mounts", "volumes", "replaces"];
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => {
      const inner = sorted(part);
      const isSet = Array.isArray(inner) && sets.includes(name);
      const unique = isSet ? [...new Map(inner.map((element) => [JSON.stringify(element), element])).values()] : [];
      return [name, isSet ? unique.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : inner];
    }),
  );
}

/** Ids, invented names, and what depends on the daemon: its addresses, its folders, its version's longer errors. */
const withoutIds = (text: string): string =>
  text
    .replace(/[0-9a-f]{64}/g, "$ID")
    .replace(/"[0-9a-f]{12}"/g, '"$HOST"')
    .replaceAll(`"hostname":"${hostname()}"`, '"hostname":"$HOST"')
    .replace(/("mountpoint":)"[^"]*(?=\/volumes\/)/g, '$1"$ROOT')
    .replace(/("ipPrefixLength":)\d+/g, '$1"$LENGTH"')
    .replace(/"bridge":"(?!04da6b54)[^"]*",/g, "")
    .replace(/("(?:gateway|ipAddress)":)"[\d.]+"/g, '$1"$IP"')
    .replace(/("macAddress":)"[\w:]+"/g, '$1"$MAC"')
    .replace(/("external":)\d{5}\b/g, '$1"$PORT"')
    .replace(/"name-[0-9a-f]{7}"/g, '"name-$RANDOM"');
