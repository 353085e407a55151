import { type ChildProcess, execFile, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);
const token = "admin-token-of-this-test";

/** A pod as `kubectl get` prints it, in the parts that the imitated kubelet reads. */
interface Pod {
  metadata: { name: string; namespace: string; annotations?: Record<string, string>; deletionTimestamp?: string };
  status?: { conditions?: { type: string; status: string }[] };
}

/**
 * A real API server, etcd, and the controllers for stateful sets, claims and garbage. There is no kubelet: `sick` says which
 * pods become ready. Namespaces: `agents` and `default`.
 */
export class KubernetesCluster {
  readonly env: Record<string, string>;
  /** Releases whose pods never become ready. */
  readonly sick = new Set<string>();
  readonly #folder: string;
  readonly #bin: string;
  readonly #processes: ChildProcess[] = [];
  readonly #ended = new AbortController();
  #kubelet: Promise<void> | undefined;

  /** @param folder of the programs */
  constructor(folder: string) {
    this.#bin = folder;
    this.#folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
    const kubeconfig = join(this.#folder, "kubeconfig");
    this.env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: this.#folder, KUBECONFIG: kubeconfig };
  }

  async start(): Promise<void> {
    const [client, peer, api] = await Promise.all([freePort(), freePort(), freePort()]);
    const file = (name: string) => join(this.#folder, name);
    const etcd = `http://127.0.0.1:${client}`;
    const peers = `http://127.0.0.1:${peer}`;
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(file("accounts.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
    writeFileSync(file("tokens.csv"), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
    const kubeconfig = {
      ...{ apiVersion: "v1", kind: "Config", "current-context": "here" },
      clusters: [{ name: "here", cluster: { server: `https://127.0.0.1:${api}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "admin", user: { token } }],
      contexts: [{ name: "here", context: { cluster: "here", user: "admin" } }],
    };
    writeFileSync(file("kubeconfig"), JSON.stringify(kubeconfig), { mode: 0o600 });
    this.#spawn("etcd", [
      ...[`--data-dir=${file("etcd")}`, `--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`],
      ...[`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`],
      ...[`--initial-cluster=default=${peers}`, "--unsafe-no-fsync"],
    ]);
    this.#spawn("kube-apiserver", [
      ...[`--etcd-servers=${etcd}`, `--cert-dir=${file("certificates")}`, `--secure-port=${api}`],
      ...["--bind-address=127.0.0.1", "--service-account-issuer=https://kubernetes.default.svc"],
      ...[`--service-account-key-file=${file("accounts.key")}`, `--token-auth-file=${file("tokens.csv")}`],
      ...[`--service-account-signing-key-file=${file("accounts.key")}`, "--service-cluster-ip-range=10.0.0.0/24"],
      // Its token controller does not run.
      "--disable-admission-plugins=ServiceAccount",
    ]);
    await this.#until(["get", "--raw=/readyz"]);
    const controllers =
      "statefulset-controller,persistentvolumeclaim-protection-controller,garbage-collector-controller";
    this.#spawn("kube-controller-manager", [
      ...[`--kubeconfig=${file("kubeconfig")}`, "--leader-elect=false", "--secure-port=0"],
      `--controllers=${controllers},persistentvolume-binder-controller,namespace-controller,disruption-controller`,
    ]);
    await this.kubectl(["create", "namespace", "agents"]);
    await this.kubectl(["label", "namespace", "agents", "pod-security.kubernetes.io/enforce=restricted"]);
    this.#kubelet = this.#runKubelet();
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const running = run(join(this.#bin, "kubectl"), args, { env: this.env, maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#kubelet;
    for (const child of this.#processes.toReversed()) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Marks pods as ready, as if their containers ran. */
  async #runKubelet(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      try {
        const { items } = JSON.parse(await this.kubectl(["get", "pods", "-A", "--output=json"])) as { items: Pod[] };
        await Promise.all(items.filter((pod) => this.#shouldRun(pod)).map((pod) => this.#markReady(pod)));
      } catch {
        // A pod was removed in between.
      }
      await pause(200, undefined, { signal: this.#ended.signal }).catch(() => {});
    }
  }

  #shouldRun({ metadata, status }: Pod): boolean {
    const isReady = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
    const release = metadata.annotations?.["changelings.dev/release"] ?? "";
    return !isReady && metadata.deletionTimestamp === undefined && !this.sick.has(release);
  }

  async #markReady({ metadata: { name, namespace } }: Pod): Promise<void> {
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    const patch = `--patch=${JSON.stringify({ status })}`;
    await this.kubectl(["patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", patch]);
  }

  #spawn(program: string, args: readonly string[]): void {
    const log = openSync(join(this.#folder, `${program}.log`), "a");
    this.#processes.push(spawn(join(this.#bin, program), args, { env: this.env, stdio: ["ignore", log, log] }));
  }

  async #until(args: readonly string[]): Promise<void> {
    const deadline = Date.now() + 120_000;
    for (;;) {
      try {
        await this.kubectl(args);
        return;
      } catch (error) {
        const log = readFileSync(join(this.#folder, "kube-apiserver.log"), "utf8").slice(-2000);
        if (Date.now() > deadline) throw new Error(`the API server does not start: ${log}`, { cause: error });
      }
      await pause(500);
    }
  }
}
