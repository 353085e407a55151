import { createRequire, Module } from "node:module";

const require = createRequire(import.meta.url);

/** Loads a module as Pulumi's SDK does. */
export const inSdk = createRequire(require.resolve("@pulumi/pulumi"));

/**
 * Keeps Pulumi's SDK, which must not be loaded yet, from loading what no resource of this project uses until it is used.
 *
 * @param options.tracing whether the program sends traces
 */
export function leaveOutUnusedParts({ tracing }: { readonly tracing: boolean }): void {
  // For functions that become part of a resource, as dynamic providers do. No resource of ours has any.
  for (const name of ["@npmcli/arborist", "normalize-package-data", "typescript"]) replace(name, loadedOnUse(name));
  const debuggerOnUse = loadedOnUse("./runtime/closure/v8Hooks", { isInitializedAsync: () => Promise.resolve() });
  replace("./runtime/closure/v8Hooks", debuggerOnUse);
  // For programs that run Pulumi's CLI.
  replace("./automation", loadedOnUse("./automation"));
  // Node strips types without moving a line.
  replace("source-map-support/register", {});
  if (tracing) return;
  for (const name of ["exporter-zipkin", "instrumentation", "instrumentation-grpc", "resources", "sdk-trace-base"])
    replace(`@opentelemetry/${name}`, {});
  replace("@opentelemetry/sdk-trace-node", {});
}

/** Gives the SDK other exports of a module. A module that a later SDK does not have is ignored. */
function replace(name: string, exports: object): void {
  try {
    const file = inSdk.resolve(name);
    require.cache[file] = Object.assign(new Module(file), { exports, loaded: true });
  } catch {}
}

/** The exports of a module that is loaded when one is read, except for those given. */
function loadedOnUse(name: string, given: Readonly<Record<string, unknown>> = {}): object {
  let exports: Record<string | symbol, unknown> | undefined;
  const load = () => {
    delete require.cache[inSdk.resolve(name)];
    return inSdk(name);
  };
  return new Proxy(
    { __esModule: true, ...given },
    {
      get(known, key) {
        if (Reflect.has(known, key)) return Reflect.get(known, key);
        exports ??= load();
        // What `import name from` gets of a CommonJS module.
        return key === "default" && exports?.["__esModule"] !== true ? exports : exports?.[key];
      },
    },
  );
}
