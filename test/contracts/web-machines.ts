import { describe } from "vitest";
import type { WebSpec } from "../../components/web/agent/spec.ts";
import { LifeCycleLab, type WebLab, type WebLabOptions } from "../support/web-lab/life-cycle-lab.ts";
import { describeCreation } from "./web-machines/create.ts";
import { describeRemoval } from "./web-machines/remove.ts";
import { describeUpdates } from "./web-machines/update.ts";

/**
 * The life cycle of a web agent, the same on every provider: from its first `pulumi up` to its removal.
 *
 * @param provider also the name of the suite
 */
export function describeWebMachines(provider: WebSpec["provider"], open: (options: WebLabOptions) => WebLab): void {
  describe(`web agents: ${provider}`, () => {
    const lab = new LifeCycleLab(provider, open);
    describeCreation(lab);
    describeUpdates(lab);
    describeRemoval(lab);
  });
}
