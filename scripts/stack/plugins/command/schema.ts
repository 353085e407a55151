/** The Pulumi schema of what this plugin serves. The shapes are the official plugin's, without its descriptions. */
export function schema(version: string): string {
  const text = { type: "string" };
  const texts = { type: "array", items: text };
  const logging = { $ref: "#/types/command:local:Logging" };
  const runInputs = {
    stdin: text,
    logging,
    interpreter: texts,
    dir: text,
    environment: { type: "object", additionalProperties: text },
    assetPaths: texts,
    archivePaths: texts,
    addPreviousOutputInEnv: { type: "boolean" },
  };
  const results = {
    stdout: text,
    stderr: text,
    assets: { type: "object", additionalProperties: { $ref: "pulumi.json#/Asset" } },
    archive: { $ref: "pulumi.json#/Archive" },
  };
  const commandInputs = {
    create: text,
    update: text,
    delete: text,
    triggers: { type: "array", items: { $ref: "pulumi.json#/Any" }, replaceOnChanges: true },
    ...runInputs,
  };
  const command = { command: text, ...runInputs };
  return JSON.stringify({
    name: "command",
    version,
    config: {},
    provider: {},
    types: {
      "command:local:Logging": {
        type: "string",
        enum: ["stdout", "stderr", "stdoutAndStderr", "none"].map((value) => ({ value })),
      },
    },
    resources: {
      "command:local:Command": {
        properties: { ...commandInputs, ...results },
        required: ["stdout", "stderr"],
        inputProperties: commandInputs,
      },
    },
    functions: {
      "command:local:run": {
        inputs: { type: "object", properties: command, required: ["command"] },
        outputs: { type: "object", properties: { ...command, ...results }, required: ["command", "stdout", "stderr"] },
      },
    },
  });
}
