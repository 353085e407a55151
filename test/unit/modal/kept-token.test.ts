import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { keepModalToken, keptModalToken } from "../../../components/modal/kept-token.ts";

const folder = mkdtempSync(join(tmpdir(), "kept-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

const config = join(folder, "modal.toml");
const noFile = { MODAL_CONFIG_PATH: config };
const [one, other] = [
  { id: "ak-1", secret: "as-1" },
  { id: "ak-2", secret: "as-2" },
];
const service = join(folder, "service");

test.each([
  ["the environment", { MODAL_TOKEN_ID: one.id, MODAL_TOKEN_SECRET: one.secret }],
  ["the stack's config", { CHANGELINGS_MODAL_TOKEN_ID: one.id, CHANGELINGS_MODAL_TOKEN_SECRET: one.secret }],
])("a token from %s is kept, for its owner alone", (_, env) => {
  keepModalToken(service, { ...noFile, ...env });
  expect(keptModalToken(service, noFile)).toEqual(one);
  expect(readdirSync(service).map((name) => statSync(join(service, name)).mode & 0o777)).toEqual([0o600]);
});

test("a token in the environment wins over the kept one", () => {
  const env = { ...noFile, MODAL_TOKEN_ID: other.id, MODAL_TOKEN_SECRET: other.secret };
  expect(keptModalToken(service, env)).toEqual(other);
});

test("a token in Modal's own file is not copied, and a former copy is removed", () => {
  writeFileSync(config, `[default]\ntoken_id = "${other.id}"\ntoken_secret = "${other.secret}"\n`);
  keepModalToken(service, noFile);
  expect(readdirSync(service)).toEqual([]);
  expect(keptModalToken(service, noFile)).toEqual(other);
});

test("a damaged copy counts as none, and no error quotes it", () => {
  rmSync(config, { force: true });
  keepModalToken(service, { ...noFile, MODAL_TOKEN_ID: one.id, MODAL_TOKEN_SECRET: one.secret });
  const [name = ""] = readdirSync(service);
  writeFileSync(join(service, name), `{"id":"ak-1","secret":as-1`);
  expect(keptModalToken(service, noFile)).toBeUndefined();
  rmSync(join(service, name));
});

test("without any token there is none", () => {
  rmSync(config, { force: true });
  keepModalToken(service, noFile);
  expect(keptModalToken(service, noFile)).toBeUndefined();
});
