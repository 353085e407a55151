import { kinds } from "../../components/kinds.ts";
import * as summary from "../../scripts/changeling/plan/summary.ts";

const inspections = {
  cron: await kinds.cron.inspection(),
  web: await kinds.web.inspection(),
  sandbox: await kinds.sandbox.inspection(),
};

/** The changes in a preview, in the words of the kinds. */
export function plannedChanges(preview: summary.PreviewJson): summary.PlannedChange[] {
  return summary.plannedChanges(preview, inspections);
}
