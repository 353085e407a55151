import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockChangeling } from "../../../changelings/stock.ts";
import { scriptCommand } from "../../command.ts";

import { withAlias } from "../../component.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { currentIds, deadId } from "../../modal/deployed-ids.ts";
import { appName, secretName } from "../../modal/names.ts";
import type { ModalToken } from "../../modal/token.ts";
import type { ObservedModal } from "../../modal/types.ts";
import { repoSnapshot } from "../../source/repo-snapshot.ts";
import { repoTarball } from "../../source/repo-tarball.ts";
import { type SnapshotNeed, snapshotLabel } from "../../source/snapshot.ts";
import { gitTokenEnvironment } from "../../source/tarball-environment.ts";
import type { Branch, Tip } from "../../source/tip.ts";
import type { ModalHome } from "../../stack/modal-home.ts";
import { homeEnvironment } from "../../stack/modal-home-environment.ts";
import type { DeclaredCron } from "../declared.ts";
import { environmentOfApp } from "./app-environment.ts";
import { programFingerprint } from "./program-files.ts";

export interface ModalCronArgs {
  readonly declared: DeclaredCron;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

export interface ModalPlaceArgs {
  readonly stack: string;
  readonly home: ModalHome;
  /** Undefined if Modal could not be queried; then no drift is detected. */
  readonly observed: ObservedModal | undefined;
  /** The commits that `pinned` changelings start from. */
  readonly tips: (of: Branch) => Tip | undefined;
  /** The snapshots that `snapshot` changelings start from, by label. */
  readonly needs: ReadonlyMap<string, SnapshotNeed>;
  readonly mngrProfile: string | undefined;
  /** A token from the stack's config. */
  readonly stackToken: ModalToken | undefined;
}

interface Source {
  readonly tip?: Tip;
  readonly snapshotLabel?: string;
  /** The token that fetches its repository. */
  readonly token?: Readonly<Record<string, pulumi.Input<string>>>;
  readonly resources: readonly pulumi.Resource[];
}

/** What a `snapshot` changeling needs a snapshot of. */
export function snapshotNeed({
  remote,
  repo,
  branch,
  template,
  buildArgs,
  snapshotMaxAge,
}: DeclaredCron): SnapshotNeed {
  return { repo: remote ?? repo, branch, template, buildArgs, maxAgeSeconds: snapshotMaxAge };
}

/** The stack on Modal, as observed by one run of the program. */
export class ModalPlace {
  readonly #at: ModalPlaceArgs;

  constructor(at: ModalPlaceArgs) {
    this.#at = at;
  }

  /** A cron changeling on Modal: its Secret, what its runs start from, and the app that fires it. */
  deploy(parent: pulumi.Resource, args: ModalCronArgs): pulumi.Resource {
    const { name, renamedFrom, agentType } = args.declared;
    const { home, stack } = this.#at;
    const source = this.#source(args);
    const environment = {
      ...environmentOfApp(args.declared, {
        stack,
        stock: stockChangeling(agentType),
        anchors: { project: process.cwd(), home: homedir() },
        secrets: Object.keys(args.secretValues),
        program: programFingerprint(),
        tip: source.tip,
        snapshotLabel: source.snapshotLabel,
      }),
      ...homeEnvironment.named({ environment: home.environment, userId: home.userId, prefix: home.prefix }),
    };
    const secretEnvironment = { ...this.#token(), ...source.token };
    const drift = this.#appDrift(args);
    const dependsOn = [home, ...this.#secret(parent, args), ...source.resources];
    return scriptCommand(
      `${name}-app`,
      { command: "modal-app", environment, secretEnvironment, drift },
      withAlias({ parent, dependsOn }, renamedFrom && `${renamedFrom}-app`),
    );
  }

  /** A separate resource, so that rotating a value touches nothing else. */
  #secret(parent: pulumi.Resource, { declared: { name, renamedFrom }, secretValues }: ModalCronArgs) {
    const names = Object.keys(secretValues).sort();
    if (names.length === 0) return [];
    const { home, stack } = this.#at;
    const environment = {
      NAME: name,
      STACK: stack,
      MODAL_ENVIRONMENT: home.environment,
      SECRETS: names.join(", "),
      RENAMED_FROM: renamedFrom,
    };
    const drift = this.#secretDrift(name);
    const secretEnvironment = { VALUES: pulumi.jsonStringify(secretValues), ...this.#token() };
    const opts = withAlias({ parent, dependsOn: [home] }, renamedFrom && `${renamedFrom}-secret`);
    return [scriptCommand(`${name}-secret`, { command: "modal-secret", environment, secretEnvironment, drift }, opts)];
  }

  /** What its runs start from, if an update creates it; shared by all changelings that need the same. */
  #source({ declared, secretValues }: ModalCronArgs): Source {
    const { home, mngrProfile, needs, observed, stack, tips } = this.#at;
    const { GITHUB_TOKEN: token } = secretValues;
    if (declared.image === "snapshot") {
      const need = snapshotNeed(declared);
      const args = { stack, home, observed, mngrProfile, gitToken: token, tokenVariables: this.#token() };
      const { label, command } = repoSnapshot({ need: needs.get(snapshotLabel(need)) ?? need, ...args });
      return { snapshotLabel: label, resources: [command] };
    }
    const tip = declared.image === "pinned" ? tips(declared) : undefined;
    if (tip === undefined) return { resources: [] };
    const { repo, branch, historyDepth, remote: origin = repo } = declared;
    const { commit, subject } = tip;
    const tarball = repoTarball({ repo, branch, origin, commit, subject, historyDepth, token });
    // If this machine's cache lacks the tarball, the app's script builds it.
    const isFetched = isRepoUrl(repo) && token !== undefined;
    return { tip, token: isFetched ? gitTokenEnvironment.named({ token }) : {}, resources: [tarball] };
  }

  /** Scripts find the token of the user who runs the update; a token from the stack's config must be passed. */
  #token(): Record<string, string> {
    const { stackToken } = this.#at;
    if (stackToken === undefined) return {};
    return { CHANGELINGS_MODAL_TOKEN_ID: stackToken.id, CHANGELINGS_MODAL_TOKEN_SECRET: stackToken.secret };
  }

  #secretDrift(name: string): string | undefined {
    const { observed, stack } = this.#at;
    if (observed === undefined || observed.secrets.has(secretName(stack, name))) return undefined;
    return "its Modal Secret is missing";
  }

  /** A Secret or volume that was recreated under the same name has a new id, and an app refers to them by id. */
  #appDrift({ declared: { name }, secretValues }: ModalCronArgs): string | undefined {
    const { observed, stack } = this.#at;
    if (observed === undefined) return undefined;
    const app = observed.apps.get(appName(stack, name));
    if (app === undefined) return "its Modal app is missing";
    if (app.state === "stopped") return "its Modal app is stopped";
    if (app.state !== "deployed") return "its Modal app is not deployed";
    const hasSecret = Object.keys(secretValues).length > 0;
    if (hasSecret && this.#secretDrift(name) !== undefined) return "its Modal Secret is created again";
    if (currentIds({ stack, name, hasSecrets: false }, observed) === undefined) {
      return "what all apps of the stack share is created again";
    }
    if (!observed.deployedIds.has(name))
      return "the ids of the Secrets and volumes that it was deployed with are not known";
    return deadId({ stack, name }, observed);
  }
}
