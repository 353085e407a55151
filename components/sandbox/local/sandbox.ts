import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { writePrivateFile } from "../../host/files.ts";
import { runProgram } from "../../lib/process.ts";
import { imageEnvironment } from "../image/image.ts";
import { pathWith } from "../image/tools.ts";
import { type ExecOptions, maxOutputCharacters, type Progress, type Sandbox, SandboxGone } from "../provider.ts";
import { argumentFile, confine, mountedParts } from "./confinement.ts";
import type { SandboxFiles } from "./files.ts";
import { type Enforcement, endLimits, enforce } from "./limits.ts";
import type { Networks } from "./networks.ts";
import { createWhole, type LocalPaths, readRecord, type SandboxRecord } from "./paths.ts";
import { endRunning, recordRunning } from "./running.ts";
import type { LocalTools } from "./tools.ts";
import { pathsWithoutIsolation } from "./unconfined.ts";

export interface LocalParts {
  readonly paths: LocalPaths;
  readonly files: SandboxFiles;
  readonly networks: Networks;
  /** undefined without isolation */
  readonly tools: LocalTools | undefined;
  /** Limits by sandbox. */
  readonly limits: Map<string, Enforcement>;
}

/** A file that marks a snapshot of a sandbox without isolation. */
export const unconfinedMark = "without-isolation";

/** For the programs that start the sandbox's program, which gets its own PATH. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** A shell exits with 127 if a program is missing; bubblewrap does not. */
const byName = ["/bin/sh", "-c", 'exec "$@"', "sh"];

export function localSandbox(record: SandboxRecord, parts: LocalParts): Sandbox {
  const { paths, files, networks, limits } = parts;
  const { id } = record;
  const folder = join(paths.sandboxes, id);
  const checkLive = () => {
    if (readRecord(paths, id) === undefined) throw new SandboxGone(id);
  };

  return {
    id,
    async exec(argv, options) {
      checkLive();
      const end = await (record.isolation === "none"
        ? runUnconfined(record, parts, folder, argv, options)
        : runConfined(record, parts, folder, argv, options));
      // `terminate` may have killed it.
      if (end.code !== 0) checkLive();
      return end;
    },
    accessApi: record.isolation === "none" ? undefined : (api) => networks.broker(id).access(api),
    async snapshot({ signal }: Progress = {}) {
      checkLive();
      const name = `${id.slice(0, 60)}-${randomUUID()}`;
      const fill = async (target: string) => {
        if (record.isolation === "none") writePrivateFile(join(target, unconfinedMark), "");
        await files.copy(folder, target, signal);
      };
      await createWhole(paths.snapshots, name, fill, files.remove);
      return name;
    },
    async terminate() {
      networks.end(id);
      await files.discard(folder, endRunning);
      limits.delete(id);
      endLimits(id);
    },
  };
}

async function runConfined(
  record: SandboxRecord,
  { paths, tools, networks, limits }: LocalParts,
  folder: string,
  argv: readonly string[],
  options: ExecOptions,
) {
  const { id, allowDomains } = record;
  if (tools === undefined) throw new Error("a sandbox with isolation needs bubblewrap");
  const mayConnect = allowDomains?.length !== 0 || networks.broker(id).isUsed;
  const hasNetwork = options.needsNetwork !== false && mayConnect;
  const network = hasNetwork ? await networks.use(id, tools.bwrap, allowDomains) : undefined;
  const enforcement = limits.get(id) ?? enforce(id, record);
  limits.set(id, enforcement);
  const volumes = Object.entries(record.volumes).map(([path, name]) => [path, join(paths.volumes, name)] as const);
  const args = confine({
    files: join(folder, "files"),
    image: join(paths.images, record.image),
    volumes: Object.fromEntries(volumes),
    parts: tools.parts,
    mounts: tools.mounts,
    node: process.execPath,
    hostname: id.slice(0, 63),
    hasNetwork,
    env: { PATH: pathWith(mountedParts(tools.parts)), ...imageEnvironment, ...network?.env, ...options.env },
    cwd: options.cwd ?? "/",
  });
  const [program = "", ...rest] = [
    ...enforcement.prefix,
    ...(network?.nsenter ?? []),
    ...[tools.bwrap, "--args", "3", "--", ...byName, ...argv],
  ];
  let ended = () => {};
  try {
    return await runProgram(program, rest, {
      ...programOptions(options),
      env: { PATH: systemPath, ...enforcement.env },
      file: argumentFile(args),
      onStart: (pid) => {
        ended = recordRunning(folder, pid);
      },
    });
  } finally {
    ended();
    network?.release();
  }
}

async function runUnconfined(
  record: SandboxRecord,
  { paths, tools }: LocalParts,
  folder: string,
  argv: readonly string[],
  options: ExecOptions,
) {
  const real = pathsWithoutIsolation(join(folder, "files"), join(paths.images, record.image));
  const own = Object.values(tools?.parts ?? {}).map((part) => join(part, "node_modules/.bin"));
  const { USER: _user, LOGNAME: _name, ...environment } = imageEnvironment;
  const given = Object.entries({ ...environment, ...options.env }).map(([name, value]) => [name, real(value)] as const);
  const cwd = real(options.cwd ?? "/");
  if (!existsSync(cwd)) return { code: 1, stdout: "", stderr: `there is no folder ${options.cwd}\n` };
  mkdirSync(join(folder, "running"), { recursive: true, mode: 0o700 });
  const [program = "", ...rest] = [...byName, ...argv.map(real)];
  let ended = () => {};
  try {
    return await runProgram(program, rest, {
      ...programOptions(options),
      env: { PATH: [...own, process.env["PATH"] ?? systemPath].join(delimiter), ...Object.fromEntries(given) },
      cwd,
      endsGroup: true,
      onStart: (pid) => {
        ended = recordRunning(folder, pid);
      },
    });
  } finally {
    ended();
  }
}

function programOptions({ stdin, maxOutput = maxOutputCharacters, ...options }: ExecOptions) {
  const { timeoutSeconds, signal, onOutput, keepsOutput } = options;
  return { timeoutSeconds, signal, input: stdin, onOutput, keepsOutput, maxOutput };
}
