import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { sessionSummary } from "../../../../components/sandbox/sessions/protocol.ts";
import { Directory } from "../../../../components/sandbox/sessions/worker/directory.ts";

vi.mock("cloudflare:workers", () => ({ DurableObject: class {} }));

function directory(database = new DatabaseSync(":memory:")) {
  const exec = (query: string, ...values: SQLInputValue[]) => {
    const rows = database.prepare(query).all(...values);
    return { toArray: () => rows };
  };
  // The part of an object's state that it uses.
  const state = { storage: { sql: { exec } } } as unknown as ConstructorParameters<typeof Directory>[0];
  const object = new Directory(state, {} as ConstructorParameters<typeof Directory>[1]);
  return {
    report: (summary: z.input<typeof sessionSummary>) =>
      object.fetch(new Request("http://directory/report", { method: "POST", body: JSON.stringify(summary) })),
    list: async () =>
      z.array(sessionSummary).parse(await (await object.fetch(new Request("http://directory/list"))).json()),
  };
}

const session = (number: number, status: "running" | "terminated" = "running") => ({
  ...{ id: number.toString(16).padStart(20, "0"), changeling: "example", status, isAsleep: false },
  createdAt: new Date(number * 1000).toISOString(),
  updatedAt: new Date(number * 1000).toISOString(),
});

it("lists the newest first, and leaves out terminated sessions before others", async () => {
  const { report, list } = directory();
  await report({ ...session(1), isAsleep: true });
  for (let number = 2; number <= 1001; number++) await report(session(number, "terminated"));
  await report(session(1002));
  const listed = await list();
  expect(listed).toHaveLength(1000);
  expect([listed[0], listed[1], listed.at(-1)]).toEqual([
    session(1002),
    session(1001, "terminated"),
    { ...session(1), isAsleep: true },
  ]);
});

it("opens the database of an earlier version, which does not say who sleeps", async () => {
  const database = new DatabaseSync(":memory:");
  database.exec(`CREATE TABLE sessions(id TEXT PRIMARY KEY, changeling TEXT NOT NULL, title TEXT, status TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL)`);
  const { id, changeling, status, createdAt, updatedAt } = session(1);
  database
    .prepare("INSERT INTO sessions VALUES(?, ?, NULL, ?, ?, ?)")
    .run(id, changeling, status, createdAt, updatedAt);
  directory(database);
  const { report, list } = directory(database);
  expect(await list()).toEqual([session(1)]);
  await report({ ...session(1), isAsleep: true });
  expect(await list()).toEqual([{ ...session(1), isAsleep: true }]);
});
