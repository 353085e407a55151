import { expect, it } from "vitest";
import { Redactor } from "../../../../components/sandbox/sessions/runner/redact.ts";
import { RunLog } from "../../../../components/sandbox/sessions/runner/run-log.ts";
import type { RunEvent } from "../../../../components/sandbox/sessions/runner-protocol.ts";

async function all(log: RunLog, from = 0): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of log.from(from)) events.push(event);
  return events;
}

const textOf = (events: readonly RunEvent[]) =>
  events.map((event) => (event.type === "text" ? event.text : "|")).join("");

it("joins text, in order with the other events, for every reader alike", async () => {
  const log = new RunLog(new Redactor([]));
  const early = all(log);
  for (let at = 0; at < 500; at++) {
    log.add({ type: "text", text: `${at},` });
    if (at === 250) log.add({ type: "notice", text: "half" });
  }
  log.end({ state: "done", answer: "" });
  const events = await early;
  expect(events.length).toBeLessThan(20);
  const numbers = Array.from({ length: 500 }, (_, at) => `${at},`);
  expect(textOf(events)).toBe([...numbers.slice(0, 251), "|", ...numbers.slice(251)].join(""));
  expect(await all(log)).toEqual(events);
  expect(await all(log, 1)).toEqual(events.slice(1));
});

it("ends with what it held back, and takes nothing after its end", async () => {
  const log = new RunLog(new Redactor(["secret-value"]));
  log.add({ type: "text", text: "so sec" });
  log.end({ state: "failed", failure: { code: "timeout", message: "secret-value took long" } });
  log.add({ type: "text", text: "late" });
  expect(textOf(await all(log))).toBe("so sec");
  expect(log.outcome).toEqual({ state: "failed", failure: { code: "timeout", message: "*** took long" } });
});

it("bounds what a run may print", async () => {
  const log = new RunLog(new Redactor([]));
  const long = "x".repeat(200_000);
  for (let at = 0; at < 200; at++) log.add({ type: "tool_result", id: "1", output: long, isError: false });
  log.add({ type: "tool_call", id: "2", name: "Write", input: { text: long } });
  log.add({ type: "cost", usd: 1 });
  log.end({ state: "done", answer: "y".repeat(1_000_000) });
  const events = await all(log);
  expect(JSON.stringify(events).length).toBeLessThan(9_000_000);
  expect(events.filter(({ type }) => type === "notice")).toHaveLength(1);
  expect(events.at(-1)).toEqual({ type: "cost", usd: 1 });
  expect(JSON.stringify(log.outcome).length).toBeLessThan(500_000);
});
