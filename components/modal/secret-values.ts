import { ModalError } from "./modal-error.ts";

/** Modal's documented limit of one value, in characters. */
const mostValueCharacters = 32_768;

/**
 * The limit of all values of one Secret, as JSON. Modal documents no limit for the total. This one surely fits into an
 * environment variable, which is how `pulumi up` passes them.
 */
const mostSecretBytes = 64 * 1024;

/**
 * Rejects values that would not reach an agent's environment unchanged. All others do, including newlines and quotes.
 *
 * @param of the owner of the values, for the message
 * @throws ModalError that names the variable, never its value
 */
export function checkSecretValues(of: string, values: Readonly<Record<string, string>>): void {
  const refuse = (reason: string, remedy: string): never => {
    throw new ModalError("other", `the secrets of ${of} can't be set: ${reason}`, remedy);
  };
  for (const [name, value] of Object.entries(values)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      refuse(`${JSON.stringify(name)} is not a valid name for an environment variable`, "give it another name");
    }
    if (value.includes("\0") || !value.isWellFormed()) {
      refuse(
        `the value of ${name} contains characters that an environment variable can't`,
        "encode it, for instance as base64",
      );
    }
  }
  const remedy = "store a large file elsewhere, and pass a secret that gives access to it";
  const long = Object.entries(values).filter(([, value]) => value.length > mostValueCharacters);
  if (long.length > 0) {
    const lengths = long.map(([name, value]) => `${name} has ${value.length} characters`);
    refuse(`${lengths.join(", ")}, and ${mostValueCharacters} is Modal's limit for a value`, remedy);
  }
  const bytes = Buffer.byteLength(JSON.stringify(values));
  if (bytes <= mostSecretBytes) return;
  const [largest = ""] = Object.entries(values).sort(([, one], [, other]) => other.length - one.length)[0] ?? [];
  refuse(`they take ${bytes} bytes, and ${mostSecretBytes} is the limit; the largest is ${largest}`, remedy);
}
