import { gzipSync } from "node:zlib";
import type { ImageSources } from "./image-sources.ts";

/** Commands of Dockerfiles that several images have. */

/**
 * Debian's packages as of this day, from Debian's archive of all its versions: apt can't pin a package whose successor
 * replaced it on the mirrors. It must be later than the base images' dates, or apt would have to downgrade: the tag of
 * Node 22 was built again until 22.23.5, of 2026-11-12.
 */
const packagesAsOf = "20261120T000000Z";

/** How the text of a file is written in a command. */
export type Pack = (text: string) => string;

/** In base64, so that the text is safe in any shell, and compressed, because a line of a Dockerfile is 64 kB at most. */
export const compress: Pack = (text) => gzipSync(text, { level: 9 }).toString("base64");

/** The file is in the command itself, so that it needs no build context. */
export function writing(path: string, text: string, pack: Pack): string {
  return `echo ${pack(text)} | base64 -d | gunzip > ${path}`;
}

export function run(...commands: readonly string[]): string {
  return `RUN ${commands.join(" && ")}`;
}

const certificateFile = "/usr/local/share/ca-certificates/changelings.crt";
/** Only needed until ca-certificates is installed. */
export const aptTrustFile = "/etc/apt/apt.conf.d/90changelings";

/**
 * Trusts more authorities than Debian's. The package ca-certificates adds the file to its bundle when it is installed.
 * Until then apt needs it for an https mirror. Node has its own list of authorities.
 */
export function trustCommands({ certificates }: ImageSources, pack: Pack = compress): readonly string[] {
  if (certificates === undefined) return [];
  return [
    run(
      "mkdir -p /usr/local/share/ca-certificates",
      writing(certificateFile, certificates, pack),
      `printf 'Acquire::https::CAInfo "%s";\\n' ${certificateFile} > ${aptTrustFile}`,
    ),
    `ENV NODE_EXTRA_CA_CERTS=${certificateFile}`,
  ];
}

/** Replaces the base image's package sources. @param archive see `ImageSources.debianArchive` */
export function debianCommand(archive: string): string {
  const line = (suite: string, name: string) => {
    const address = archive.replaceAll("{archive}", name).replaceAll("{date}", packagesAsOf);
    return `deb [check-valid-until=no] ${address} ${suite} main`;
  };
  const lines = [
    line("bookworm", "debian"),
    line("bookworm-updates", "debian"),
    line("bookworm-security", "debian-security"),
  ];
  return `RUN rm -f /etc/apt/sources.list.d/* && printf '%s\\n' ${lines.map((each) => `'${each}'`).join(" ")} > /etc/apt/sources.list`;
}

export function registryCommands({ npmRegistry }: ImageSources): readonly string[] {
  return npmRegistry === undefined ? [] : [`RUN npm config set --global registry ${npmRegistry}`];
}
