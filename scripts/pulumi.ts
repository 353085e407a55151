/** `npm run pulumi -- …`: the Pulumi CLI of setup, on whatever backend and stack the person has chosen. */
import { endLike, passThrough } from "./setup/pass-through.mjs";

endLike(await passThrough(["pulumi", ...process.argv.slice(2)]));
