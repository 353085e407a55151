/**
 * Runs index.ts for Pulumi's language host, in place of the SDK's own `@pulumi/pulumi/cmd/run` (the host starts what
 * PULUMI_LANGUAGE_NODEJS_RUN_PATH names). It is the same program without parts that this project does not use, which
 * are half of what the SDK loads. Without the variable, as under plain `pulumi`, everything works and is slower.
 */
import { createRequire, Module } from "node:module";

const require = createRequire(import.meta.url);
const inSdk = createRequire(require.resolve("@pulumi/pulumi"));

// Pulumi.yaml says it too, but a language host that is older than its engine is not told. It would load ts-node, which
// searches the whole project for TypeScript files.
delete process.env["PULUMI_NODEJS_TYPESCRIPT"];

if (!process.env["CHANGELINGS_DEBUG"]) {
  // For functions that become part of a resource, as dynamic providers do. No resource of ours has any.
  for (const name of ["@npmcli/arborist", "typescript"]) replace(name, loadedOnUse(name));
  const debuggerOnUse = loadedOnUse("./runtime/closure/v8Hooks", { isInitializedAsync: () => Promise.resolve() });
  replace("./runtime/closure/v8Hooks", debuggerOnUse);
  // Node strips types without moving a line.
  replace("source-map-support/register", {});
  if (!process.argv.includes("--tracing") && process.env["TRACEPARENT"] === undefined) {
    for (const name of ["exporter-zipkin", "instrumentation", "instrumentation-grpc", "resources", "sdk-trace-base"])
      replace(`@opentelemetry/${name}`, {});
    replace("@opentelemetry/sdk-trace-node", {});
  }
}

inSdk("./cmd/run");

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
        return exports?.[key];
      },
    },
  );
}
