import type { FastifyInstance } from "fastify";

/** Collects the methods of each path, for 405 and OPTIONS. Call it before any route is added. */
export function knownRoutes(app: FastifyInstance) {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  app.addHook("onRoute", ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const each of [method].flat()) route.methods.add(each);
    routes.set(url, route);
  });
  return {
    methodsAt(url: string): string[] {
      const path = url.replace(/\?.*$/s, "");
      const methods = [...routes.values()].flatMap((route) => (route.pattern.test(path) ? [...route.methods] : []));
      return [...new Set(methods)].sort();
    },
  };
}

function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/:\w+/g, "[^/]+")
    .replace(/\*/g, ".*");
  return new RegExp(`^${source}$`);
}
