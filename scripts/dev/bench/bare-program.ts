import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../stack/project.ts";

/** Writes an ordinary Pulumi program with as many resources of each type as a fleet of `count` changelings has. */
export function writeBareProgram(folder: string, count: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "Pulumi.yaml"), "name: bare\nruntime: nodejs\n");
  writeFileSync(join(folder, "package.json"), '{ "name": "bare", "main": "index.ts" }\n');
  symlinkSync(join(projectFolder, "node_modules"), join(folder, "node_modules"));
  writeFileSync(
    join(folder, "index.ts"),
    `import * as pulumi from "@pulumi/pulumi";
import * as command from "@pulumi/command";

class Job extends pulumi.ComponentResource {
  constructor(name: string) {
    super("bare:index:Job", name);
    new command.local.Command(\`\${name}-job\`, {
      create: "true",
      update: "true",
      delete: "true",
      environment: { NAME: name, SCHEDULE: "0 3 * * *", TIMEZONE: "Europe/Berlin", BRANCH: "main" },
    }, { parent: this });
    this.registerOutputs();
  }
}

new Job("scheduler");
for (let i = 0; i < ${count}; i++) new Job(\`job-\${i}\`);
`,
  );
}
