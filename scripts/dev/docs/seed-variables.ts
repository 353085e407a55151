import * as z from "zod/mini";
import { variables } from "../../../components/seed-agent/program/settings.ts";
import {
  generatedSecrets,
  variablesOfDeployment,
  variablesOfOptions,
} from "../../../components/seed-agent/service-variables.ts";

/** The rows of the table of a seed agent's variables: name, who sets it, default, unit, description. */
export function seedVariableRows(): string[][] {
  return Object.entries(variables).map(([name, { schema, description, unit = "", defaultInWords }]) => [
    `\`${name}\``,
    setBy(name),
    defaultInWords ?? defaultOf(schema),
    unit,
    description,
  ]);
}

function setBy(name: string): string {
  const option = Object.entries(variablesOfOptions).find(([, variable]) => variable === name)?.[0];
  if (option !== undefined) return `\`${option}\``;
  if (variablesOfDeployment.has(name)) return "the deployment";
  if (generatedSecrets.some((each) => each === name)) return "`up`, once";
  const isSecret = Object.entries(variables).some(([each, { secret }]) => each === name && secret === true);
  return isSecret ? "`secrets`" : "`env`";
}

function defaultOf(schema: z.core.$ZodType): string {
  const value = z.safeParse(schema, undefined).data;
  return value === undefined ? "none" : `\`${String(value)}\``;
}
