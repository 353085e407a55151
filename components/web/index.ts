/** Web changelings for other people's Pulumi programs: `import { … } from "changelings/web"`. */

export { ChangelingOptionsError } from "../fleet/program-options.ts";
export { type ModalStack, type ModalStackOptions, modalStack } from "../stack/modal.ts";
export type { DeclaredWeb } from "./declared.ts";
export { type DockerWebs, type DockerWebsOptions, dockerWebs } from "./docker/observe.ts";
export type { Forwarding } from "./forwarding/declared.ts";
export { ForwardingServer, type ForwardingServerArgs } from "./forwarding/forwarding-server.ts";
export { type ForwardingServerOptions, forwardingOf } from "./forwarding/from-program.ts";
export { type Login, loginUrl, pageUrl } from "./forwarding/urls.ts";
export { type WebChangelingOptions, webOf } from "./from-program.ts";
export { localWebs } from "./local/observe.ts";
export { type ModalWebs, type ModalWebsOptions, modalWebs } from "./modal/observe.ts";
export type { LocalWeb, LocalWebs, LocalWebsOptions } from "./this-machine.ts";
export { WebChangeling, type WebChangelingArgs } from "./web-changeling.ts";
