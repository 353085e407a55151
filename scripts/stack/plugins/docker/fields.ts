import type { Wire } from "../wire.ts";

/** The type of an input. */
export type Shape =
  | { readonly is: "text" | "flag" | "integer" }
  | { readonly is: "list" | "set"; readonly of: Shape }
  | { readonly is: "object"; readonly fields: Fields };

export interface Field {
  readonly shape: Shape;
  readonly required?: true;
  readonly default?: Wire;
  /** The daemon or the image supplies it if the input is omitted. */
  readonly computed?: true;
  /**
   * Changed in place; any other change replaces the resource. `elements`: so does a change within a set's elements if
   * their number stays the same, although it has no effect: a bug of the official plugin.
   */
  readonly inPlace?: true | "elements";
  /** The allowed values of a string. */
  readonly values?: readonly string[];
  /** An empty string or list counts as none, which keeps the current value. */
  readonly emptyIsNone?: true;
}
export type Fields = Readonly<Record<string, Field>>;

const text = { is: "text" } as const;
const flag = { is: "flag" } as const;
const integer = { is: "integer" } as const;
const list = (of: Shape): Shape => ({ is: "list", of });
const set = (of: Shape): Shape => ({ is: "set", of });
const object = (fields: Fields): Shape => ({ is: "object", fields });

const label = object({ label: { shape: text, required: true }, value: { shape: text, required: true } });

/** The supported inputs of a Container. */
export const containerFields: Fields = {
  name: { shape: text, required: true },
  image: { shape: text, required: true },
  command: { shape: list(text), computed: true },
  entrypoints: { shape: list(text), computed: true },
  envs: { shape: set(text), computed: true },
  labels: { shape: set(label), computed: true, emptyIsNone: true },
  user: { shape: text, emptyIsNone: true },
  groupAdds: { shape: set(text) },
  networkMode: { shape: text, default: "bridge" },
  pidMode: { shape: text },
  hostname: { shape: text, computed: true, emptyIsNone: true },
  workingDir: { shape: text, emptyIsNone: true },
  init: { shape: flag, computed: true, inPlace: true },
  stopSignal: { shape: text, computed: true, emptyIsNone: true },
  stopTimeout: { shape: integer, computed: true },
  logDriver: { shape: text, computed: true, emptyIsNone: true },
  restart: {
    shape: text,
    default: "no",
    inPlace: true,
    values: ["no", "on-failure", "always", "unless-stopped"],
  },
  start: { shape: flag, default: true, inPlace: true },
  mustRun: { shape: flag, default: true, inPlace: true },
  wait: { shape: flag, inPlace: true },
  waitTimeout: { shape: integer, default: 60, inPlace: true },
  destroyGraceSeconds: { shape: integer, inPlace: true },
  removeVolumes: { shape: flag, default: true, inPlace: true },
  /** Has no effect in the official plugin either, but its states contain it. */
  containerReadRefreshTimeoutMilliseconds: { shape: integer, default: 15_000, inPlace: true },
  mounts: {
    inPlace: "elements",
    shape: set(
      object({
        target: { shape: text, required: true },
        source: { shape: text },
        type: { shape: text, required: true, values: ["bind", "volume"] },
        readOnly: { shape: flag },
      }),
    ),
  },
  volumes: {
    shape: set(
      object({
        containerPath: { shape: text },
        hostPath: { shape: text },
        volumeName: { shape: text },
        readOnly: { shape: flag },
      }),
    ),
  },
  ports: {
    shape: set(
      object({
        internal: { shape: integer, required: true },
        external: { shape: integer, computed: true },
        ip: { shape: text, default: "0.0.0.0" },
        protocol: { shape: text, default: "tcp" },
      }),
    ),
  },
};

/** The supported inputs of a Volume. */
export const volumeFields: Fields = {
  name: { shape: text, required: true },
  labels: { shape: set(label) },
  driver: { shape: text, computed: true },
};
