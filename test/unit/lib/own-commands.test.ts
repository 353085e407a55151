import { describe, expect, it } from "vitest";
import { changelingCommand, secretRemedy, upCommand } from "../../../components/lib/own-commands.ts";
import { devStack } from "../../../scripts/stack/dev-stack.ts";
import { commandsOn } from "../../../scripts/stack/stack.ts";

describe("the commands that messages advise", () => {
  it.each([
    [
      "the embedded default",
      commandsOn(devStack("/home/me"), { CHANGELINGS_CALLED: "npm run changeling --" }),
      {
        up: "npm start",
        changeling: "npm run changeling --",
        secret: "export it where you run: npm start",
      },
    ],
    [
      "a stack of one's own",
      commandsOn({ name: "home" }, { CHANGELINGS_CALLED: "npx changeling" }),
      {
        up: "npm run pulumi -- up --stack home",
        changeling: "npx changeling --stack home",
        secret:
          "export it where you run: npm run pulumi -- up --stack home; or: npm run pulumi -- config set --secret changelings:KEY --stack home",
      },
    ],
    [
      "another program",
      {},
      {
        up: "pulumi up",
        changeling: "changeling",
        secret: "export it where you run: pulumi up; or: pulumi config set --secret changelings:KEY",
      },
    ],
  ])("are those that work on %s", (_where, env, expected) => {
    expect({ up: upCommand(env), changeling: changelingCommand(env), secret: secretRemedy("KEY", env) }).toEqual(
      expected,
    );
  });
});
