// @ts-check
// Proves that each part of the image works, and prints a manifest as JSON on stdout. It exits with 1 if a required part
// does not work. It is plain JavaScript without dependencies, because it runs in the image: node /app/verify.mjs
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const app = dirname(fileURLToPath(import.meta.url));
const secondsPerPart = 60;

/**
 * @typedef {{ name: string, kind: "program" | "folder" | "file" | "mcp server" | "browser", required: boolean }} Part
 * @typedef {Part & { ok: boolean, version?: string, tools?: string[], reason?: string }} Verified
 */

/** Each program with the arguments that print its version, and what the version must match. @type {readonly [string, string[], (RegExp | undefined)?, boolean?][]} */
const programs = [
  ["node", ["--version"], /^v(2[2-9]|[3-9]\d)\./],
  ["npm", ["--version"]],
  ["python3", ["--version"], /^Python 3\.(1[1-9]|[2-9]\d)/],
  ["git", ["--version"]],
  ["gh", ["--version"]],
  ["curl", ["--version"]],
  ["wget", ["--version"]],
  ["jq", ["--version"]],
  ["rg", ["--version"]],
  ["tree", ["--version"]],
  ["fd", ["--version"]],
  ["vim", ["--version"]],
  ["less", ["--version"]],
  ["cc", ["--version"]],
  ["make", ["--version"]],
  ["chromium", ["--version"]],
  // A runtime needs one of them; the stub none.
  ["claude", ["--version"], undefined, false],
  ["codex", ["--version"], undefined, false],
];

/** @returns {Promise<Verified[]>} */
async function verifyAll() {
  /** @type {Verified[]} */
  const verified = [];
  for (const [name, args, expected, required = true] of programs) {
    verified.push(await attempt({ name, kind: "program", required }, () => versionOf(name, args, expected)));
  }
  for (const name of ["/workspace", "/root", "/root/.mcp-memory", "/tmp"]) {
    verified.push(await attempt({ name, kind: "folder", required: true }, async () => writable(name)));
  }
  for (const name of ["AGENTS.md", "memory-seed.json", "mcp-servers.json", "docs/ai/README.md"]) {
    verified.push(await attempt({ name: join(app, name), kind: "file", required: true }, async () => readable(name)));
  }
  /** @type {Record<string, { command: string, args: string[], env: Record<string, string>, required: boolean }>} */
  const servers = JSON.parse(readFileSync(join(app, "mcp-servers.json"), "utf8"));
  for (const [name, server] of Object.entries(servers)) {
    const part = { name, kind: /** @type {const} */ ("mcp server"), required: server.required };
    verified.push(await attempt(part, () => listTools(server)));
  }
  verified.push(await attempt({ name: "chromium", kind: "browser", required: true }, openPage));
  return verified;
}

/**
 * @param {Part} part
 * @param {() => Promise<{ version?: string, tools?: string[] }>} prove
 * @returns {Promise<Verified>}
 */
async function attempt(part, prove) {
  try {
    return { ...part, ok: true, ...(await prove()) };
  } catch (error) {
    return { ...part, ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** @param {string} program @param {string[]} args @param {RegExp} [expected] */
async function versionOf(program, args, expected) {
  const { stdout, stderr } = await run(program, args);
  const version = (stdout.trim() || stderr.trim()).split("\n")[0] ?? "";
  if (expected !== undefined && !expected.test(version)) throw new Error(`unexpected version ${version}`);
  return { version };
}

/** @param {string} folder */
function writable(folder) {
  if (!statSync(folder).isDirectory()) throw new Error("is not a folder");
  accessSync(folder, constants.W_OK);
  return {};
}

/** @param {string} file */
function readable(file) {
  if (!existsSync(join(app, file))) throw new Error("is missing");
  if (file.endsWith(".json")) JSON.parse(readFileSync(join(app, file), "utf8"));
  return {};
}

/** Only a page that is rendered proves the libraries that Chromium loads. */
async function openPage() {
  const profile = mkdtempSync(join(tmpdir(), "verify-"));
  try {
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--user-data-dir=${profile}`,
    ];
    const page = "data:text/html,<body><script>document.body.textContent = 6 * 7</script>";
    const { stdout } = await run("chromium", [...flags, "--dump-dom", page]);
    if (!stdout.includes("<body>42</body>")) throw new Error("did not run the page's script");
    return {};
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Starts an MCP server over stdio, and asks for its tools.
 * @param {{ command: string, args: string[], env: Record<string, string> }} server
 */
async function listTools({ command, args, env }) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr = (stderr + text).slice(-500);
  });
  child.stdin.on("error", () => {});
  /** @type {Map<number, (result: any) => void>} */
  const waiting = new Map();
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const message = JSON.parse(line);
      waiting.get(message.id)?.(message);
    }
  });
  /** @param {object} message */
  const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const failed = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${stderr.trim()}`)));
    setTimeout(
      () => reject(new Error(`no answer in ${secondsPerPart} s: ${stderr.trim()}`)),
      secondsPerPart * 1000,
    ).unref();
  });
  /** @param {number} id @param {string} method @param {object} params @returns {Promise<any>} */
  const request = (id, method, params) => {
    const answered = new Promise((resolve, reject) => {
      waiting.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
    });
    send({ id, method, params });
    return Promise.race([answered, failed]);
  };
  try {
    const client = { name: "verify", version: "1.0.0" };
    const { serverInfo } = await request(1, "initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: client,
    });
    send({ method: "notifications/initialized" });
    const { tools } = await request(2, "tools/list", {});
    if (tools.length === 0) throw new Error("offers no tools");
    return { version: serverInfo?.version, tools: tools.map((/** @type {{ name: string }} */ tool) => tool.name) };
  } finally {
    failed.catch(() => {});
    child.kill("SIGKILL");
  }
}

/**
 * @param {string} program @param {string[]} args
 * @returns {Promise<{ stdout: string, stderr: string }>}
 */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output.stderr += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), secondsPerPart * 1000);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error(/ENOENT/.test(error.message) ? "is not installed" : error.message));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`ended with ${code ?? signal}: ${output.stderr.trim().slice(-500)}`));
    });
  });
}

const parts = await verifyAll();
const missing = parts.filter(({ ok, required }) => !ok && required).map(({ name }) => name);
const failedOptional = parts.filter(({ ok, required }) => !ok && !required).map(({ name }) => name);
process.stdout.write(`${JSON.stringify({ ok: missing.length === 0, missing, failedOptional, parts }, null, 2)}\n`);
process.exitCode = missing.length === 0 ? 0 : 1;
