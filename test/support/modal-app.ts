import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes an app whose function `fire` may return some of its environment.
 *
 * @param lines further steps of its image, the name of its Secret, and the function's body
 * @returns its file
 */
export function writeModalApp(
  folder: string,
  name: string,
  { image = "", secret, body }: { readonly image?: string; readonly secret?: string; readonly body: string },
): string {
  const secrets = secret === undefined ? "" : `secrets=[modal.Secret.from_name("${secret}")]`;
  const file = join(folder, `${name}.py`);
  writeFileSync(
    file,
    `import os
import modal

image = modal.Image.debian_slim(python_version="3.12")${image}
app = modal.App()


@app.function(image=image, serialized=True, ${secrets})
def fire(cause="schedule", names=()):
    import os
    ${body}
`,
  );
  return file;
}
