import { modalClient } from "./client.ts";
import { personEnvironment, personIdentity } from "./identity.ts";
import type { StackOnModal } from "./modal-observation.ts";
import { observeModal } from "./observe.ts";
import type { ModalToken } from "./token.ts";

/** @throws ModalError within `timeoutSeconds`, by default 20 s, if Modal is not reachable */
export async function openOnModal(
  stack: string,
  token: ModalToken | undefined,
  timeoutSeconds?: number,
): Promise<StackOnModal> {
  const client = modalClient({ token, env: process.env });
  const observed = await observeModal({
    stack,
    client,
    localEnvironment: personEnvironment(personIdentity(process.env)),
    timeoutSeconds,
  });
  return { stack, client, observed };
}
