import { afterEach, describe, expect, test, vi } from "vitest";
import { together } from "../../../../../scripts/stack/setup/all.ts";
import { SetupError } from "../../../../../scripts/stack/setup/progress.mjs";
import { runSetup } from "../../../../../scripts/stack/setup/run.mjs";
import { useMachine } from "../../../../support/setup.ts";

useMachine();
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const failing = async (message: string, details?: { remedy: string }): Promise<never> => {
  await wait(1);
  throw new SetupError(message, details);
};

describe("steps that run side by side", () => {
  test("give what each of them found, in their order", async () => {
    const slow = wait(5).then(() => "python");
    expect(await together([slow, Promise.resolve(3)])).toEqual(["python", 3]);
  });

  test("all come to their end when one fails, so that what they made is kept", async () => {
    let ended = false;
    const slow = wait(20).then(() => {
      ended = true;
    });
    await expect(together([failing("no npm"), slow])).rejects.toThrow("no npm");
    expect(ended).toBe(true);
  });

  describe("that fail", () => {
    afterEach(() => {
      process.exitCode = undefined;
    });

    async function said(work: () => Promise<unknown>): Promise<string> {
      const written: string[] = [];
      vi.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0);
      expect(await runSetup(async () => void (await work()))).toBe(false);
      expect(process.exitCode).toBe(1);
      return written.join("");
    }

    test("are reported together, each with its remedy, also from within others", async () => {
      const text = await said(() =>
        together([
          failing("no npm", { remedy: "Try npm ci." }),
          together([failing("no Go"), failing("no pip", { remedy: "Try pip." })]),
        ]),
      );
      expect(text).toBe("Setup: no npm\nTry npm ci.\n\nSetup: no Go\n\nSetup: no pip\nTry pip.\n");
    });

    test("for the same reason are reported once", async () => {
      expect(await said(() => together([failing("no room"), failing("no room")]))).toBe("Setup: no room\n");
    });
  });
});
