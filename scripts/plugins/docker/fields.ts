import type { Wire } from "../wire.ts";

/** What an input is made of. */
export type Shape =
  | { readonly is: "text" | "flag" | "integer" }
  | { readonly is: "list" | "set"; readonly of: Shape }
  | { readonly is: "object"; readonly fields: Fields };

export interface Field {
  readonly shape: Shape;
  readonly required?: true;
  readonly default?: Wire;
  /** The daemon or the image fills it in where the input leaves it out. */
  readonly computed?: true;
  /**
   * Changed in place; all else replaces the resource. `elements`: so is a change within a set's elements while their
   * number stays the same, although nothing comes of it: a fault of the official plugin's.
   */
  readonly inPlace?: true | "elements";
  /** The values that a text may have. */
  readonly values?: readonly string[];
  /** An empty text or list is as good as none, which leaves what is there. */
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

/** The inputs of a Container that are served. */
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
  /** Has no effect in the official plugin either, but stands in its states. */
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

/** The inputs of a Volume that are served. */
export const volumeFields: Fields = {
  name: { shape: text, required: true },
  labels: { shape: set(label) },
  driver: { shape: text, computed: true },
};
