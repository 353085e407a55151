import { readContainer } from "./installed-container.ts";
import type { Look } from "./look.ts";

/**
 * How the container differs from what the last `up` left, in words; undefined when it does not. Another config or
 * another image that is declared is no drift: those are changes of the container's inputs.
 *
 * @param folder the forwarding server's on this machine
 */
export function containerDrift(folder: string, { container, hasImage }: Look): string | undefined {
  const known = readContainer(folder);
  if (container === undefined) return known === undefined ? undefined : "its container is gone";
  if (known === undefined) return "its container is not the one that pulumi up made";
  if (container.id !== known.id) {
    const isOlder = container.image !== known.image;
    return isOlder ? "its container is of another image" : "its container is not the one that pulumi up made";
  }
  if (container.restarting) return `its container crashes over and over (exit status ${container.exitCode})`;
  if (!container.running) return `its container does not run (exit status ${container.exitCode})`;
  return hasImage ? undefined : "its image is gone";
}
