import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { SqliteDatabase } from "../../components/seed-agent/program/database/sqlite.ts";
import { openStore } from "../../components/seed-agent/program/store/open.ts";
import { SqlStore } from "../../components/seed-agent/program/store/sql-store.ts";
import type { Store } from "../../components/seed-agent/program/store/store.ts";
import { noTinyDisk, runOnTinyDisk } from "../support/full-disk.ts";
import { submission, useDatabases } from "../support/seed-store-lab.ts";

const unavailable = expect.objectContaining({ name: "StoreUnavailable" });
/** Short, so that a test sees what takes seconds otherwise. */
const times = { connect: 1000, statement: 1000, shortestWait: 20, longestWait: 200, heartbeat: 200, session: 2000 };

/** Resolves when the store answers again. */
async function back(store: Store): Promise<void> {
  await expect.poll(() => store.check().then(() => "available"), { interval: 20 }).toBe("available");
}

describe("a store on PostgreSQL", () => {
  const databases = useDatabases("postgres");

  it("is unavailable while the database can't be reached, loses nothing, and recovers", async () => {
    const store = await (await databases.lab()).open(times);
    await store.submit(submission);
    let news = 0;
    store.subscribe(() => {
      news += 1;
    });
    await databases.postgres.stop();
    await expect(store.change("c1")).rejects.toThrow(unavailable);
    await expect(store.submit(submission)).rejects.toThrow(unavailable);
    await expect(store.leading("a role", async () => "led")).rejects.toThrow(unavailable);
    await databases.postgres.start();
    await back(store);
    expect((await store.submit(submission)).id).toBe("c2");
    // The connection for news is made again too, and reports what it may have missed.
    const before = news;
    await expect.poll(() => news).toBeGreaterThan(before);
  });

  it("can be opened while the database can't be reached", async () => {
    const lab = await databases.lab();
    await databases.postgres.stop();
    const store = await lab.open(times);
    await expect(store.versions(1)).rejects.toThrow(unavailable);
    await databases.postgres.start();
    await back(store);
    expect(await store.versions(1)).toEqual([]);
  });

  it("does not wait for a database that does not answer, nor keeps its lock", async () => {
    const { open } = await databases.lab();
    const store = await open(times);
    await store.check();
    databases.postgres.pause();
    try {
      await expect(store.check()).rejects.toThrow(unavailable);
      await expect(store.stateSet({ a: "1" })).rejects.toThrow(unavailable);
    } finally {
      databases.postgres.resume();
    }
    await back(store);
    await back(await open(times));
  });

  it("continues after its connections were ended", async () => {
    const { open, url = "" } = await databases.lab();
    const store = await open(times);
    await Promise.all([store.check(), store.versions(1), store.changes({ limit: 1 })]);
    await databases.postgres.disconnect(url);
    await back(store);
  });

  it("makes its tables again in a database that was replaced by an empty one", async () => {
    const { open, url = "" } = await databases.lab();
    const store = await open(times);
    await store.submit(submission);
    await databases.postgres.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", url);
    await expect(store.changes({ limit: 1 })).rejects.toThrow(unavailable);
    await back(store);
    expect((await store.submit(submission)).id).toBe("c1");
  });

  it("aborts a leader whose connection has ended before another one leads", async () => {
    const { open, url = "" } = await databases.lab();
    const [one, other] = [await open(times), await open(times)];
    // A role each, because PostgreSQL may not yet know that its last leader has gone.
    const losses = { disconnected: () => databases.postgres.disconnect(url), paused: () => databases.postgres.pause() };
    for (const [role, lose] of Object.entries(losses)) {
      const began = Promise.withResolvers<string>();
      const led = one.leading(role, async (signal) => {
        began.resolve("leads");
        await once(signal, "abort");
        return signal.reason;
      });
      // Otherwise the test would wait for ever.
      expect(await Promise.race([began.promise, led])).toBe("leads");
      expect(await other.leading(role, async () => "led too")).toBeUndefined();
      await lose();
      expect(await led).toEqual(unavailable);
      databases.postgres.resume();
      await back(other);
      await expect.poll(() => other.leading(role, async () => "leads now")).toBe("leads now");
    }
  });

  it("lets another node lead if the leader's process stops in the middle", async () => {
    const { open, url = "", folder } = await databases.lab();
    const other = await open(times);
    await other.check();
    const module = join(import.meta.dirname, "../../components/seed-agent/program/store/open.ts");
    const program = join(folder, "leader.ts");
    writeFileSync(
      program,
      `import { openStore } from ${JSON.stringify(module)};
       const databaseUrl = process.env.DATABASE_URL;
       const store = await openStore({ folder: ".", databaseUrl, postgresTimes: ${JSON.stringify(times)} });
       await store.leading("roll-out", async () => {
         console.log("leads");
         await new Promise((resolve) => setTimeout(resolve, 600_000));
       });`,
    );
    const leader = spawn(process.execPath, [program], {
      env: { ...process.env, DATABASE_URL: url },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(leader.stdout, "data");
      expect(await other.leading("roll-out", async () => "led too")).toBeUndefined();
      // As on a machine that is frozen, or cut off: its connection stays open.
      leader.kill("SIGSTOP");
      await expect.poll(() => other.leading("roll-out", async () => "leads now")).toBe("leads now");
    } finally {
      leader.kill("SIGKILL");
    }
  });

  it("rejects changes and deletions in the audit log, also by SQL", async () => {
    const { open, url = "" } = await databases.lab();
    const store = await open();
    const entry = await store.audit({ node: "n1", actor: "owner", action: "approved" });
    for (const sql of ["UPDATE audit SET data = '{}'", "DELETE FROM audit", "TRUNCATE audit"]) {
      await expect(databases.postgres.sql(sql, url)).rejects.toThrow("entries of audit are never changed or deleted");
    }
    expect(await store.auditLog({ limit: 9 })).toEqual([entry]);
  });

  it("rejects the database of a later release", async () => {
    const { open, url = "" } = await databases.lab();
    await (await open()).check();
    await databases.postgres.sql("INSERT INTO migrations(number) VALUES (99)", url);
    await expect((await open()).check()).rejects.toThrow("a later release has used it");
  });

  it("shows neither password nor user in an error", async () => {
    const wrong = "postgres://some-user:hunter2@127.0.0.1:1/seed";
    const store = await openStore({ folder: "/nonexistent", databaseUrl: wrong });
    const error = await store.check().catch((caught: unknown) => caught);
    expect(error).toEqual(unavailable);
    expect(String(error)).toContain("127.0.0.1:1/seed");
    expect(String(error)).not.toMatch(/hunter2|some-user/);
    await store.close();
    const notUrl = await openStore({ folder: "", databaseUrl: "hunter2" }).catch((caught: unknown) => caught);
    expect(String(notUrl)).toContain("DATABASE_URL is not a URL");
    expect(String(notUrl)).not.toContain("hunter2");
  });
});

describe("a store on SQLite", () => {
  const databases = useDatabases("sqlite");

  it("belongs to one process, until that ends, and gives its claims to the next one", async () => {
    const { folder, open } = await databases.lab();
    const module = join(import.meta.dirname, "../../components/seed-agent/program/store/open.ts");
    const program = join(folder, "other.ts");
    writeFileSync(
      program,
      `import { openStore } from ${JSON.stringify(module)};
       const store = await openStore({ folder: ${JSON.stringify(folder)} });
       await store.submit(${JSON.stringify(submission)});
       await store.claim("a node", 3600);
       console.log("claimed");
       setInterval(() => {}, 1000);`,
    );
    const other = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(other.stdout, "data");
      const refused = new SqlStore(new SqliteDatabase({ file: join(folder, "store.sqlite"), openMilliseconds: 100 }));
      await expect(refused.check()).rejects.toThrow("another process has it open");
      await refused.close();
    } finally {
      other.kill("SIGKILL");
      await once(other, "exit");
    }
    const store = await open();
    expect(await store.claim("a renamed node", 60)).toMatchObject({ id: "c1", attempts: 2 });
  });

  it("keeps every acknowledged submission of a process that is killed", async () => {
    const { folder, open } = await databases.lab();
    const module = join(import.meta.dirname, "../../components/seed-agent/program/store/open.ts");
    const program = join(folder, "other.ts");
    writeFileSync(
      program,
      `import { openStore } from ${JSON.stringify(module)};
       import { writeSync } from "node:fs";
       const store = await openStore({ folder: ${JSON.stringify(folder)} });
       for (;;) writeSync(1, (await store.submit(${JSON.stringify(submission)})).id + "\\n");`,
    );
    let last = 0;
    for (let count = 0; count < 4; count += 1) {
      const other = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      other.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      await once(other.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
      other.kill("SIGKILL");
      await once(other, "close");
      const acknowledged = output.split("\n").slice(0, -1);
      expect(acknowledged[0] === `c${last + 1}` || acknowledged[0] === `c${last + 2}`).toBe(true);
      last = Number(acknowledged.at(-1)?.slice(1));
    }
    const changes = await (await open()).changes({ limit: 100_000 });
    expect([last, last + 1]).toContain(changes.length);
  });

  it("is unavailable while its file can't be used, and says why", async () => {
    const { folder, open } = await databases.lab();
    const file = join(folder, "store.sqlite");
    writeFileSync(file, "this is no database ".repeat(100));
    const store = await open();
    await expect(store.check()).rejects.toThrow(unavailable);
    await expect(store.check()).rejects.toThrow(`${file} could not be used: file is not a database`);
    rmSync(file);
    await store.check();
  });

  it("loses nothing while the disk is full, and continues afterwards", async (context) => {
    const reason = noTinyDisk();
    if (reason !== undefined) return context.skip(reason);
    const { folder } = await databases.lab();
    const { full, ...rest } = z
      .object({ full: z.string(), acknowledged: z.array(z.string()), kept: z.array(z.string()), after: z.string() })
      .parse(runOnTinyDisk("full-store-program.ts", folder, "512k"));
    expect(full).toMatch(/^StoreUnavailable: .*store\.sqlite could not be used/);
    expect(rest.kept).toEqual(rest.acknowledged);
    expect(rest.after).toBe(`c${rest.acknowledged.length + 1}`);
  });

  it("has leases that expire even if the machine's clock is set back", async () => {
    const { folder } = await databases.lab();
    const clock = { wall: Date.now(), steady: 0 };
    const file = join(folder, "store.sqlite");
    const store = new SqlStore(
      new SqliteDatabase({ file, wallClock: () => clock.wall, steadyClock: () => clock.steady }),
    );
    try {
      await store.submit(submission);
      await store.report({ id: "n1", active: "v0" });
      expect(await store.claim("n1", 30)).toBeDefined();
      const before = await store.now();
      clock.wall -= 7_200_000;
      clock.steady += 29_000;
      expect(await store.claim("n2", 30)).toBeUndefined();
      clock.steady += 2000;
      expect(await store.claim("n2", 30)).toMatchObject({ id: "c1", attempts: 2 });
      expect(await store.nodes(60)).toHaveLength(1);
      expect(await store.nodes(30)).toHaveLength(0);
      expect((await store.now()) - before).toBe(31_000);
    } finally {
      await store.close();
    }
  });

  it("rejects changes and deletions in the audit log, also by SQL", async () => {
    const { folder, open } = await databases.lab();
    const store = await open();
    const entry = await store.audit({ node: "n1", actor: "owner", action: "approved" });
    await store.close();
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const file = join(folder, "store.sqlite");
    const database = new DatabaseSync(file);
    const replace = "INSERT OR REPLACE INTO audit(number, data) VALUES (1, '{}')";
    for (const sql of ["UPDATE audit SET data = '{}'", "DELETE FROM audit", replace]) {
      expect(() => database.exec(sql)).toThrow("entries of audit are never changed or deleted");
    }
    database.close();
    const again = new SqlStore(new SqliteDatabase({ file }));
    expect(await again.auditLog({ limit: 9 })).toEqual([entry]);
    await again.close();
  });
});
