import { upCommand } from "../../lib/own-commands.ts";
import { deadId } from "../../modal/deployed-ids.ts";
import { appName, homeVolumeName } from "../../modal/names.ts";
import type { App, Modal, ObservedModal, VolumeFile } from "../../modal/types.ts";
import { type AppSpec, appSpec } from "./spec.ts";

/** A deployed changeling, read from the spec that its deployment wrote to the home volume. */
export interface RemoteApp {
  readonly spec: AppSpec;
  /** Undefined if Modal has no app of that name. */
  readonly app: App | undefined;
  /** When its spec was written, after its deployment (unix seconds). */
  readonly deployedAt: number;
  /** Why it does not fire, in words; undefined if it does, or is paused. */
  readonly problem: string | undefined;
}

/** A spec file that can't be parsed. */
export interface RemoteProblem {
  readonly name: string;
  readonly problem: string;
}

export interface RemoteApps {
  /** Sorted by name. */
  readonly apps: readonly RemoteApp[];
  readonly problems: readonly RemoteProblem[];
}

/** The stack's changelings on Modal. @throws ModalError */
export async function remoteApps(client: Modal, observed: ObservedModal, stack: string): Promise<RemoteApps> {
  const { environment } = observed;
  if (environment === undefined) return { apps: [], problems: [] };
  const volume = homeVolumeName(stack);
  const files = (await client.files(volume, environment, "apps")).filter(({ path }) => /\.json$/.test(path));
  const read = await Promise.all(
    files.map(async (file) =>
      remoteApp(file, (await client.readFile(volume, environment, file.path)) ?? "", observed, stack),
    ),
  );
  const sorted = read.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return {
    apps: sorted.flatMap((each) => ("spec" in each ? [each] : [])),
    problems: sorted.flatMap((each) => ("spec" in each ? [] : [each])),
  };
}

function nameOf(of: RemoteApp | RemoteProblem): string {
  return "spec" in of ? of.spec.name : of.name;
}

function remoteApp(
  { path, modifiedAt: deployedAt }: VolumeFile,
  text: string,
  observed: ObservedModal,
  stack: string,
): RemoteApp | RemoteProblem {
  const name = path.replace(/^.*\//, "").replace(/\.json$/, "");
  const spec = appSpec.safeParse(parsed(text)).data;
  if (spec === undefined || spec.name !== name || spec.stack !== stack) {
    return {
      name,
      problem: `${path} of volume ${homeVolumeName(stack)} is not its spec; repair it with: ${upCommand()}`,
    };
  }
  const app = observed.apps.get(appName(stack, name));
  return { spec, app, deployedAt, problem: problemOf(app, spec) ?? deadId({ stack, name }, observed) };
}

/** Uses the same words as a preview. */
function problemOf(app: App | undefined, spec: AppSpec): string | undefined {
  if (app === undefined) return `its Modal app ${spec.appName} is missing`;
  if (app.state !== "deployed") return "its Modal app is stopped";
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
