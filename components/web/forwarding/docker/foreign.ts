/**
 * Whether containers of a Docker have another network and other processes than this machine, so that agents here can't be
 * reached from them.
 *
 * @param info `docker info`'s operating system and security options
 * @returns what it is, in words; undefined when it is this machine's own
 */
export function foreignDocker(info: string, platform: NodeJS.Platform): string | undefined {
  if (platform !== "linux" || /docker desktop/i.test(info)) return "Docker Desktop";
  return /name=rootless/.test(info) ? "rootless Docker" : undefined;
}
