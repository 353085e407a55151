import type { TidyAnswer } from "./docker-plugin-fixtures.ts";
import type { Bag } from "./plugin-messages.ts";

const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** What a Container's inputs get where nothing else is said. */
const defaults = {
  containerReadRefreshTimeoutMilliseconds: 15_000,
  mustRun: true,
  networkMode: "bridge",
  removeVolumes: true,
  restart: "no",
  start: true,
  waitTimeout: 60,
};

/** Rejected in Check, with the path of the input and a remedy. */
const refused = (given: Bag, failures: Record<string, string>): TidyAnswer => {
  const inputs = { ...defaults, name: "n", image: "some:image", ...given };
  const taken = Object.keys(defaults).filter((name) => given[name] === undefined);
  return {
    response: {
      inputs: { ...inputs, __defaults: taken },
      failures: Object.entries(failures).map(([property, reason]) => ({ property, reason })),
    },
  };
};

const replaced = (input: string, detailedDiff: Bag): TidyAnswer => ({
  response: {
    changes: "DIFF_SOME",
    diffs: [input],
    replaces: [input],
    deleteBeforeReplace: true,
    hasDetailedDiff: true,
    detailedDiff,
  },
});

const failed = (message: string): TidyAnswer => ({ error: { code: "UNKNOWN", message } });

/** Answers of the stand-in that differ from those of the official plugin, by the name of the question. */
export const ownAnswers: Record<"requests" | "diff" | "lifecycle", Record<string, TidyAnswer>> = {
  requests: {
    "the same configuration": {
      response: {
        changes: "DIFF_NONE",
        diffs: [],
        replaces: [],
        deleteBeforeReplace: false,
        hasDetailedDiff: false,
        detailedDiff: {},
      },
    },
    "container without an image": {
      response: {
        inputs: { ...defaults, name: "n", __defaults: Object.keys(defaults) },
        failures: [{ property: "image", reason: "image is missing" }],
      },
    },
    "restart of another kind": refused(
      { restart: "never" },
      { restart: 'restart is "never"; it must be one of no, on-failure, always, unless-stopped' },
    ),
    "mount of another type": refused(
      { mounts: [{ __defaults: [], target: "/a", type: "x" }] },
      { "mounts[0].type": 'mounts[0].type is "x"; it must be one of bind, volume' },
    ),
    "mount without a target": refused(
      { mounts: [{ __defaults: [], source: "/a", type: "bind" }] },
      { "mounts[0].target": "mounts[0].target is missing" },
    ),
    "label without a value": refused(
      { labels: [{ __defaults: [], label: "a" }] },
      { "labels[0].value": "labels[0].value is missing" },
    ),
    "text for a number": refused({ stopTimeout: "soon" }, { stopTimeout: "stopTimeout must be a whole number" }),
    "an input that does not exist": refused(
      {},
      {
        nonsense:
          "nonsense is not served by the stand-in for the docker plugin that is installed here. Leave it out, or use a " +
          "PULUMI_HOME with the official plugin: pulumi plugin install resource docker 5.2.0",
      },
    ),
    // One element that is not known leaves the others known.
    "preview of a container with more": {
      response: {
        id: "",
        properties: {
          ...defaults,
          name: "n",
          image: "some:image",
          envs: [unknown, "A=1"],
          init: true,
          labels: [{ label: "a", value: "b" }],
          mounts: [{ source: unknown, target: "/a", type: "volume" }],
          user: "1",
          ...Object.fromEntries(
            [
              ...["bridge", "command", "containerLogs", "entrypoints", "exitCode", "healthcheck", "hostname", "id"],
              ...["ipcMode", "logDriver", "networkDatas", "platform", "runtime", "securityOpts", "shmSize"],
              ...["stopSignal", "stopTimeout"],
            ].map((name) => [name, unknown]),
          ),
        },
      },
    },
  },
  // What is shown as changed is finer in sets of objects, coarser in lists; what is done is the same.
  diff: {
    "volumes: changed": replaced("volumes", { "volumes[0].hostPath": "UPDATE_REPLACE" }),
    "volumes: one more": replaced("volumes", { "volumes[1]": "ADD_REPLACE" }),
    "volumes: read only": replaced("volumes", { "volumes[0].readOnly": "ADD_REPLACE" }),
    "command: longer at its head": replaced("command", {
      "command[0]": "UPDATE_REPLACE",
      "command[1]": "UPDATE_REPLACE",
      "command[2]": "ADD_REPLACE",
    }),
  },
  lifecycle: {
    "no such image": failed(
      "Unable to create container with image no-such-image.invalid/x:1: Error response from daemon: …",
    ),
    "wait without a health check": failed(
      "there is nothing to wait for: the image has no HEALTHCHECK. Use another image, or leave out `wait`",
    ),
  },
};
