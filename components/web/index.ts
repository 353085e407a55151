/** Web changelings for other people's Pulumi programs: `import { … } from "changelings/web"`. */

export type { DeclaredWeb, Forwarding } from "../fleet/index.ts";
export { ChangelingOptionsError } from "../fleet/index.ts";
export { type ModalStack, type ModalStackOptions, modalStack } from "../modal/stack.ts";
export { type DockerWebs, type DockerWebsOptions, dockerWebs } from "./docker/observe.ts";
export { ForwardingServer, type ForwardingServerArgs } from "./forwarding/forwarding-server.ts";
export { type ForwardingServerOptions, forwardingOf } from "./forwarding/from-program.ts";
export { type Login, loginUrl, pageUrl } from "./forwarding/urls.ts";
export { type WebChangelingOptions, webOf } from "./from-program.ts";
export { type LocalWeb, type LocalWebs, type LocalWebsOptions, localWebs } from "./local/observe.ts";
export { type ModalWebs, type ModalWebsOptions, modalWebs } from "./modal/observe.ts";
export { WebChangeling, type WebChangelingArgs } from "./web-changeling.ts";
