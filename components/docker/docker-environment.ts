import { allowedEnvironment } from "../mngr/environment.ts";

/** What of the person's environment says where Docker is, who they are there, and how it builds. */
const variables: readonly string[] = [
  ...["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_BUILDKIT"],
];

/** Whether a script that talks to Docker needs to see a variable of whoever runs `pulumi up`. */
export function isDockerVariable(name: string): boolean {
  return variables.includes(name);
}

/** The environment of the `docker` command. */
export function dockerEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = variables.flatMap((name) => {
    const value = env[name];
    return value ? [[name, value] as const] : [];
  });
  return { ...allowedEnvironment(env), ...Object.fromEntries(own) };
}
