/** Runs the seed agent's service: `node main.ts`, configured by its environment (`settings.ts`). SIGTERM ends it. */
import { messageOf } from "../../lib/as-error.ts";
import { SettingsError, startService } from "./service.ts";

try {
  const service = await startService(process.env);
  const end = () => {
    service.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
} catch (error) {
  const message = messageOf(error);
  process.stderr.write(
    `${error instanceof SettingsError ? "These variables are not valid:\n" : "The service can't start: "}${message}\n`,
  );
  process.exit(error instanceof SettingsError ? 2 : 1);
}
