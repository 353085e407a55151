import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CodeStore } from "../../../components/seed-agent/program/code-store/code-store.ts";
import { version } from "../../../components/seed-agent/program/domain.ts";

/** Versions on disk, as files that are renamed, without all else that the real one takes care of. */
export function openPlainCodeStore(folder: string): CodeStore {
  mkdirSync(folder, { recursive: true });
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : undefined;
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, `${name}.aside`), text);
    renameSync(join(folder, `${name}.aside`), join(folder, name));
  };
  const parsed = (id: string) => {
    try {
      return version.parse(JSON.parse(read(id) ?? ""));
    } catch {
      return undefined;
    }
  };
  const readable = (name: string) => {
    const id = read(name) ?? "v0";
    return parsed(id) === undefined ? "v0" : id;
  };
  const active = () => readable("active");
  const lastGood = () => readable("good");
  return {
    active,
    lastGood,
    open: async () => ({ versions: [], setAside: [] }),
    write: async (written) => write(written.id, JSON.stringify(written)),
    read: async (id) => parsed(id),
    activate: async (id) => write("active", id),
    markGood: async (id) => write("good", id),
    isGood: () => active() === "v0" || active() === lastGood(),
    beginStart: async () => ({ isCrashLoop: false, starts: 1 }),
    markStarted: async () => {},
    prune: async () => {},
    check: async () => {},
  };
}
