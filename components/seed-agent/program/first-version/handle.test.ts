import { assert, test } from "seed";

test("says who it is", async ({ handle }) => {
  const { status, body } = await handle({ path: "/" });
  assert.equal(status, 200);
  assert.match(body, /seed agent/);
});

test("echoes", async ({ handle }) => {
  const { body } = await handle({ method: "POST", path: "/echo", body: "Grüße" });
  assert.equal(body, "Grüße");
});

test("counts visits", async ({ handle }) => {
  const { body } = await handle({ path: "/visits" }, { now: 0, state: { visits: "41" } });
  assert.deepEqual(JSON.parse(body), { visits: 42, at: "1970-01-01T00:00:00.000Z" });
});

test("does not know other paths", async ({ handle }) => {
  assert.equal((await handle({ path: "/nothing" })).status, 404);
});
