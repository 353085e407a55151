import { posix } from "node:path";
import type { SourceDiagnostic, Sources } from "../domain.ts";
import { sourcesHash } from "../sources-hash.ts";

export interface Built {
  /** See `sourcesHash`. */
  readonly hash: string;
  /** `handle.ts`, `checks.ts`, `plan.ts` and the modules that they import, as one CommonJS program. */
  readonly bundle: string;
  /** The same for `*.test.ts`; undefined if there are no tests. */
  readonly testBundle?: string;
}

export type Compiled = { readonly built: Built } | { readonly diagnostics: readonly SourceDiagnostic[] };

/** `handle.ts` is required; the others are optional. */
const extensionPoints = ["handle", "checks", "plan"] as const;

const isTest = (path: string): boolean => path.endsWith(".test.ts");

/** Bundles a version reproducibly. Types are not checked, and nothing is read from the disk. */
export async function compile(sources: Sources): Promise<Compiled> {
  const points = extensionPoints.filter((name) => Object.hasOwn(sources, `${name}.ts`));
  const tests = Object.keys(sources).filter(isTest).sort();
  const program = points.map((name) => `export { default as ${name} } from "./${name}.ts";\n`).join("");
  const results = await Promise.all([
    bundleOf(sources, program),
    tests.length === 0
      ? undefined
      : bundleOf(sources, tests.map((path) => `import ${JSON.stringify(`./${path}`)};\n`).join("")),
  ]);
  const diagnostics = results.flatMap((result) => (typeof result === "object" ? result : []));
  const [bundle, testBundle] = results;
  if (typeof bundle !== "string" || typeof testBundle === "object") return { diagnostics };
  return { built: { hash: sourcesHash(sources), bundle, ...(testBundle === undefined ? {} : { testBundle }) } };
}

const entry = "version";

/** @returns the bundle, or the errors */
async function bundleOf(sources: Sources, program: string): Promise<string | readonly SourceDiagnostic[]> {
  const { build } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      plugins: [
        {
          name: "version",
          setup({ onLoad, onResolve }) {
            onResolve({ filter: /.*/ }, ({ path, kind, importer }) => {
              if (kind === "entry-point") return { path: entry, namespace: "entry" };
              if (path === "seed" || path === "node:assert/strict") return { path, external: true };
              const file = posix.join(posix.dirname(importer), path);
              const isRelative = path.startsWith("./") || path.startsWith("../");
              if (isRelative && Object.hasOwn(sources, file)) return { path: file, namespace: "version" };
              return { errors: [{ text: `there is no module ${JSON.stringify(path)}` }] };
            });
            onLoad({ filter: /.*/, namespace: "entry" }, () => ({ contents: program, loader: "ts" }));
            onLoad({ filter: /.*/, namespace: "version" }, ({ path }) => ({
              contents: sources[path] ?? "",
              loader: "ts",
            }));
          },
        },
      ],
      ...{ bundle: true, write: false, format: "cjs", platform: "neutral", target: "es2024", charset: "utf8" },
      ...{ sourcemap: "inline", sourcesContent: false, legalComments: "none", logLevel: "silent" },
      // The result must not depend on this machine.
      ...{ absWorkingDir: "/", tsconfigRaw: "{}" },
    });
    return outputFiles[0]?.text ?? "";
  } catch (error) {
    return diagnosticsOf(error);
  }
}

function diagnosticsOf(error: unknown): readonly SourceDiagnostic[] {
  if (!(error instanceof Error && "errors" in error && Array.isArray(error.errors))) throw error;
  return error.errors.map(({ text, location }: { text: string; location: { file: string; line: number } | null }) => {
    const file = location?.file.replace(/^version:/, "");
    if (file === undefined || !file.endsWith(".ts")) return { message: text };
    return { file, line: location?.line ?? 1, message: text };
  });
}
