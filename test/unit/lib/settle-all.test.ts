import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { settleAll } from "../../../components/lib/settle-all.ts";

const fails = (error: unknown) => Promise.reject(error);

it("hands over what each came to, promised or not", async () => {
  expect(await settleAll([Promise.resolve(1), "two", undefined])).toEqual([1, "two", undefined]);
});

it("reports all errors together, and none twice", async () => {
  const problems = ["no token", "no secret", "no token"].map((message) => fails(new pulumi.RunError(message)));
  const settled = settleAll([...problems, 1]);
  await expect(settled).rejects.toThrow(new pulumi.RunError("no token\nno secret"));
  await expect(settled).rejects.toSatisfy(pulumi.RunError.isInstance);
});

it("rethrows any other error unchanged", async () => {
  const error = new TypeError("broken");
  await expect(settleAll([fails(new pulumi.RunError("no token")), fails(error)])).rejects.toBe(error);
});
