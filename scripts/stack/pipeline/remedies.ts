/** Pulumi's messages about a stack that a job can't open, and the remedy in the pipeline's definition. */
const remedies: readonly (readonly [said: RegExp, remedy: string])[] = [
  [
    /no stack named '.*' found/,
    "create it once, from your machine, with the same backend: npm run pulumi -- stack init NAME",
  ],
  [/passphrase must be set/, "set PULUMI_CONFIG_PASSPHRASE among the pipeline's secrets"],
  [/incorrect passphrase/, "PULUMI_CONFIG_PASSPHRASE is not the one that the stack was created with"],
  [
    /PULUMI_ACCESS_TOKEN must be set/,
    "set PULUMI_ACCESS_TOKEN among the pipeline's secrets, or name a backend in PULUMI_BACKEND_URL",
  ],
];

/** Appends the remedy to a message, if one is known. */
export function withRemedy(message: string): string {
  const remedy = remedies.find(([said]) => said.test(message))?.[1];
  return remedy === undefined ? message : `${message}\n    → ${remedy}`;
}
