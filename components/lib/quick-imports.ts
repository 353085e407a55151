/**
 * Makes the imports that follow cheaper. A program with many modules loads this first: by `--import`, or before it
 * imports the others dynamically. Without it, everything works and starts slower.
 *
 * Node searches for each import: for the file, its real path and its package, which takes a third of the time that a
 * module costs. A relative import of ours names its file exactly, and a package is the same for all our modules. And zod
 * loads its messages in 50 languages, which nothing uses and which take as long as the rest of it.
 */
import * as nodeModule from "node:module";
import { extname } from "node:path";

const unusedMessages = "/zod/v4/locales/index.js";
/** Of the checkout, or of the built package. */
const ownFolder = new URL("../../", import.meta.url).href;
const ownExtension = extname(import.meta.url);
const ownFormat = ownExtension === ".ts" ? "module-typescript" : "module";

/** Not the user's modules, such as those beside a fleet file in `changelings/`: they may have packages of their own. */
const ownModule = /^(?:components|scripts|test)\/(?!.*\/node_modules\/)/;

function isOwn(url: string): boolean {
  return url.startsWith(ownFolder) && ownModule.test(url.slice(ownFolder.length));
}

// The built package also runs on a Node 20 without such hooks.
if ("registerHooks" in nodeModule) {
  const packages = new Map<string, nodeModule.ResolveFnOutput>();
  nodeModule.registerHooks({
    resolve(specifier, context, nextResolve) {
      const { parentURL, conditions } = context;
      if (!parentURL?.startsWith("file:") || !conditions.includes("import")) return nextResolve(specifier, context);
      if (/^\.\.?\/.*\.[jt]s$/.test(specifier)) {
        const { href: url } = new URL(specifier, parentURL);
        if (url.endsWith(unusedMessages)) return { url: "data:text/javascript,", shortCircuit: true };
        if (isOwn(url))
          return { url, shortCircuit: true, ...(url.endsWith(ownExtension) ? { format: ownFormat } : {}) };
        // A module of the user's may be a symlink. Node looks for what it imports beside the file that it leads to.
        return url.includes("/node_modules/") ? { url, shortCircuit: true } : nextResolve(specifier, context);
      }
      if (!/^[a-z@]/.test(specifier) || specifier.startsWith("node:") || !isOwn(parentURL))
        return nextResolve(specifier, context);
      const found = packages.get(specifier) ?? { ...nextResolve(specifier, context), shortCircuit: true };
      packages.set(specifier, found);
      return found;
    },
  });
}
