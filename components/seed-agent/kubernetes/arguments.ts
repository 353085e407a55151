import { fieldManager } from "./names.ts";

/** Where kubectl looks for objects. */
export interface Target {
  /** The kubeconfig's context; its current one by default. */
  readonly context?: string | undefined;
  readonly namespace: string;
}

/** The argument lists of every `kubectl` that this project runs. None contains a secret. */
export const kubectlArguments = {
  /** Reads a list of objects from stdin, so that no Secret is on disk. */
  apply: (target: Target) => [
    ...of(target),
    ...["apply", "--server-side", `--field-manager=${fieldManager}`, "--filename=-"],
  ],
  /** One request for each kind, in one process. */
  get: (target: Target, kinds: readonly string[], selector: string) => [
    ...of(target),
    ...["get", kinds.join(","), `--selector=${selector}`, "--output=json"],
  ],
  /** Prints nothing if it does not exist. */
  getOne: (target: Target, kind: string, name: string) => [
    ...of(target),
    ...["get", kind, name, "--ignore-not-found", "--output=json"],
  ],
  /** Returns once the objects are gone. */
  delete: (target: Target, names: readonly string[]) => [
    ...of(target),
    ...["delete", ...names, "--ignore-not-found", "--wait=true"],
  ],
  /** Its pods and volumes stay, for the next stateful set of that name. */
  deleteOrphaning: (target: Target, statefulSet: string) => [
    ...of(target),
    ...["delete", `statefulset/${statefulSet}`, "--cascade=orphan", "--ignore-not-found"],
  ],
  growClaim: (target: Target, claim: string, size: string) => [
    ...of(target),
    ...["patch", `persistentvolumeclaim/${claim}`, "--type=merge"],
    `--patch=${JSON.stringify({ spec: { resources: { requests: { storage: size } } } })}`,
  ],
  rolloutStatus: (target: Target, statefulSet: string, timeoutSeconds: number) => [
    ...of(target),
    ...["rollout", "status", `statefulset/${statefulSet}`, `--timeout=${timeoutSeconds}s`],
  ],
  logs: (target: Target, selector: string, lines: number) => [
    ...of(target),
    // kubectl rejects more pods than this at once; the default is 5.
    ...["logs", `--selector=${selector}`, `--tail=${lines}`, "--prefix", "--max-log-requests=50"],
  ],
  previousLogs: (target: Target, pod: string, lines: number) => [
    ...of(target),
    ...["logs", pod, "--previous", `--tail=${lines}`],
  ],
  /** From a free port of this machine, which it prints. */
  portForward: (target: Target, service: string) => [
    ...of(target),
    ...["port-forward", `service/${service}`, ":http", "--address=127.0.0.1"],
  ],
  /** Prints `yes` or `no`, with the exit code 0 or 1. The cluster decides, by the user's login. */
  mayApply: (target: Target) => [...of(target), "auth", "can-i", "patch", "statefulsets.apps"],
  contexts: () => ["config", "get-contexts", "--output=name"],
} as const;

function of({ context, namespace }: Target): string[] {
  return [...inContext(context), `--namespace=${namespace}`];
}

function inContext(context: string | undefined): string[] {
  return context === undefined ? [] : [`--context=${context}`];
}

/** The argument lists of every `docker` that builds and pushes the image. */
export const imageArguments = {
  build: (image: string, folder: string) => ["build", "--quiet", "--tag", image, folder],
  push: (image: string) => ["push", "--quiet", image],
  /** The image's names with digests, which it has once it has been pushed. */
  digests: (image: string) => ["image", "inspect", "--format", "{{json .RepoDigests}}", image],
} as const;
