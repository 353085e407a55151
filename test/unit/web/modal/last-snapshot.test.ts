import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { shutDownCommand } from "../../../../components/web/modal/modal-machines.ts";
import { pythonOfMngr } from "../../../support/python-of-mngr.ts";

it("a web agent's machine has minutes for its last snapshot, and ends with mngr's own script", async () => {
  const folder = mkdtempSync(join(tmpdir(), "last-snapshot-"));
  onTestFinished(() => rmSync(folder, { recursive: true, maxRetries: 3 }));
  const [commands, said] = [join(folder, "commands"), join(folder, "said")];
  mkdirSync(commands);
  writeFileSync(join(commands, "shutdown.sh"), `RESPONSE=$(curl -s --max-time 30 -w x)\necho "$1" >>'${said}'\n`);
  writeFileSync(join(folder, "curl"), `#!/bin/sh\necho "$*" >'${said}'\n`, { mode: 0o755 });
  const env = { PATH: `${folder}:${process.env["PATH"]}`, TMPDIR: folder, MNGR_HOST_DIR: folder };
  execFileSync("sh", ["-c", shutDownCommand], { env });
  await expect.poll(() => existsSync(said) && readFileSync(said, "utf8")).toBe("-s --max-time 330 -w x\nSTOPPED\n");
});

it("mngr's script still contains the replaced text", () => {
  const print =
    "import imbue.mngr_modal as m, pathlib; print(pathlib.Path(m.__file__).with_name('instance.py').read_text())";
  const source = execFileSync(pythonOfMngr(), ["-I", "-c", print], { encoding: "utf8", maxBuffer: 2 ** 24 });
  expect(source.match(/curl .*--max-time 30 /g)).toHaveLength(1);
});
