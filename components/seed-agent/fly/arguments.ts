/** The argument lists of every `flyctl` that this project runs. None contains a secret. */
export const flyctlArguments = {
  status: (app: string) => ["status", "--app", app, "--json"],
  apps: () => ["apps", "list", "--json"],
  /** Without an organization flyctl would ask for one. */
  create: (app: string, organization = "personal") => ["apps", "create", app, "--org", organization, "--yes"],
  /** Deletes its volumes too. */
  destroyApp: (app: string) => ["apps", "destroy", app, "--yes"],
  /** Includes machines that deployments don't manage. */
  machines: (app: string) => ["machine", "list", "--app", app, "--json"],
  /** Volumes stay. */
  destroyMachines: (app: string, ids: readonly string[]) => ["machine", "destroy", ...ids, "--app", app, "--force"],
  startMachines: (app: string, ids: readonly string[]) => ["machine", "start", ...ids, "--app", app],
  /** For machines that run, but fail their checks. */
  restartMachines: (app: string, ids: readonly string[]) => ["machine", "restart", ...ids, "--app", app],
  volumes: (app: string) => ["volumes", "list", "--app", app, "--json"],
  createVolumes: (app: string, name: string, { region, gb, count }: NewVolumes) => [
    ...["volumes", "create", name, "--app", app, "--region", region],
    ...["--size", String(gb), "--count", String(count), "--yes", "--json"],
  ],
  extendVolume: (app: string, id: string, gb: number) => [
    ...["volumes", "extend", id, "--app", app, "--size", String(gb), "--yes"],
  ],
  secrets: (app: string) => ["secrets", "list", "--app", app, "--json"],
  /** Reads NAME=VALUE lines from stdin; see `secretLines`. They take effect with the next deployment. */
  importSecrets: (app: string) => ["secrets", "import", "--app", app, "--stage"],
  unsetSecrets: (app: string, names: readonly string[]) => ["secrets", "unset", ...names, "--app", app, "--stage"],
  /** @param folder contains fly.toml, and the build context if fly.toml names no image */
  deploy: (app: string, folder: string) => [
    ...["deploy", folder, "--app", app, "--config", `${folder}/fly.toml`],
    // One machine; `scale` adds the others. flyctl does not create a second one with a volume.
    ...["--remote-only", "--ha=false", "--yes"],
  ],
  scale: (app: string, count: number, region: string) => [
    ...["scale", "count", String(count), "--app", app, "--region", region, "--yes"],
  ],
  releases: (app: string) => ["releases", "--app", app, "--json"],
  /** Writes the deployed configuration as a fly.toml. */
  saveConfig: (app: string, path: string) => ["config", "save", "--app", app, "--config", path, "--yes"],
  logs: (app: string) => ["logs", "--app", app, "--no-tail"],
  whoAmI: () => ["auth", "whoami", "--json"],
} as const;

export interface NewVolumes {
  readonly region: string;
  readonly gb: number;
  readonly count: number;
}
