import { readTextIfAny } from "../../components/host/files.ts";

/** What `pulumi config --json` prints, by full name (`changelings:…`). A secret setting has no value. */
export type StackSettings = Readonly<
  Record<string, { readonly value?: string | undefined; readonly secret?: boolean | undefined }>
>;

const entry = /^ {2}([\w-]+:[\w-]+):(?: (.+))?$/;
const quoted = /^"(?:[^"\\]|\\["\\])*"$/;
/** A text without quotes that YAML can't take for anything else. */
const plain = /^(?!(?:true|false|null|yes|no|on|off|[yn])$)(?:~\/|[a-z/])[\w/.+-]*$/i;

/**
 * Reads a stack's settings file without starting Pulumi, which takes a fifth of a second to print it.
 *
 * @returns undefined if it is not in the form that `npm start` and `pulumi config set` write: then ask Pulumi
 */
export function settingsInFile(file: string): StackSettings | undefined {
  const [head, body] = (readTextIfAny(file) ?? "").split(/^config:\n/m);
  if (body === undefined || !/^encryptionsalt: \S+\n$/.test(head ?? "")) return undefined;
  const settings: Record<string, { value?: string; secret: boolean }> = {};
  const lines = body.trimEnd().split("\n");
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name = "", text] = entry.exec(line) ?? [];
    if (name === "") return undefined;
    if (text === undefined) {
      if (!/^ {4}secure: \S+$/.test(lines.shift() ?? "")) return undefined;
      settings[name] = { secret: true };
    } else if (quoted.test(text)) settings[name] = { value: JSON.parse(text), secret: false };
    else if (plain.test(text)) settings[name] = { value: text, secret: false };
    else return undefined;
  }
  return settings;
}
