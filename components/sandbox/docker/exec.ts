import { dockerEnvironment } from "../../docker/run-docker.ts";
import { type ProgramEnd, runProgram } from "../../lib/process.ts";
import { type ExecOptions, maxOutputCharacters } from "../provider.ts";
import { stopByte, supervised, supervisedInput } from "../supervisor.ts";

/** How long the supervisor may take to end a program. */
const graceSeconds = 15;

/**
 * Reads the environment from the input, then executes the program. With options of `docker exec`, the values would be in an
 * argument list; as variables of docker's client they could change what the client does.
 */
const receiver = String.raw`
import json, os, sys
def take(length):
    data = b""
    while len(data) < length:
        part = os.read(0, length - len(data))
        if not part:
            os._exit(125)
        data += part
    return data
digits = b""
while not digits.endswith(b"\n"):
    digits += take(1)
os.environ.update(json.loads(take(int(digits))))
os.execvp(sys.argv[1], sys.argv[1:])
`;

/** Runs a program in a container, under a supervisor that ends its processes, because docker's client can't. */
export function execInContainer(
  container: string,
  argv: readonly string[],
  options: ExecOptions,
  docker: { readonly env: NodeJS.ProcessEnv; readonly variables: Readonly<Record<string, string>> },
): Promise<ProgramEnd> {
  const { timeoutSeconds, cwd = "/", stdin = "", signal, onOutput, keepsOutput, maxOutput } = options;
  const variables = Buffer.from(JSON.stringify({ ...docker.variables, ...options.env }));
  const receive = ["python3", "-I", "-S", "-c", receiver];
  return runProgram(
    "docker",
    ["exec", "--interactive", container, ...receive, ...supervised(argv, { timeoutSeconds, cwd })],
    {
      env: dockerEnvironment(docker.env),
      timeoutSeconds: timeoutSeconds + graceSeconds,
      input: Buffer.concat([Buffer.from(`${variables.length}\n`), variables, supervisedInput(stdin)]),
      signal,
      stopInput: { text: stopByte, graceSeconds },
      onOutput,
      keepsOutput,
      maxOutput: maxOutput ?? maxOutputCharacters,
    },
  );
}
