import type { PlannedCommand, PlannedWords } from "../../stack/inspection.ts";

/** What a preview's change of one of its Commands is about. */
export function describeCron({ component }: PlannedCommand): PlannedWords {
  return component.endsWith(":LocalScheduler") ? { part: "scheduler", title: "The scheduler" } : { part: "job" };
}
