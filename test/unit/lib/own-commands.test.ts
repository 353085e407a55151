import { describe, expect, it } from "vitest";
import { changelingCommand, orSetting, secretRemedy, upCommand } from "../../../components/lib/own-commands.ts";
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
        setting: "",
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
        setting: ", or: npm run pulumi -- config set changelings:timezone Asia/Tokyo --stack home",
      },
    ],
    [
      "another program",
      {},
      {
        up: "pulumi up",
        changeling: "changeling",
        secret: "export it where you run: pulumi up; or: pulumi config set --secret changelings:KEY",
        setting: ", or: pulumi config set changelings:timezone Asia/Tokyo",
      },
    ],
  ])("are those that work on %s", (_where, env, expected) => {
    expect({
      up: upCommand(env),
      changeling: changelingCommand(env),
      secret: secretRemedy("KEY", env),
      setting: orSetting("changelings:timezone Asia/Tokyo", undefined, env),
    }).toEqual(expected);
  });
});
