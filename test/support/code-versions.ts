import { createHash } from "node:crypto";
import { canonicalJson } from "../../components/lib/json.ts";
import type { Version } from "../../components/seed-agent/program/domain.ts";

/** A version whose hash is right; its text depends on the number. */
export function versionOf(number: number, more: Partial<Version> = {}): Version {
  const sources = { "handle.ts": `export default ${number};`, "../../etc/passwd": "root", __proto__x: "\0\ud800" };
  return {
    ...{ id: `v${number}`, parent: `v${number - 1}`, author: "owner", summary: `Number ${number}`, sources },
    hash: createHash("sha256").update(canonicalJson(sources)).digest("hex"),
    createdAt: "2026-11-30T12:00:00.000Z",
    bundle: `module.exports = ${number};`,
    testBundle: `test(${number});`,
    report: { passed: true, steps: [], fence: "bubblewrap", milliseconds: 12 },
    ...more,
  };
}
