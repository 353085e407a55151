"""Who is calling."""

from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..ids import fake_jwt
from ..rpc import Call, Fault
from ..state import WORKSPACE

TOKEN_ID, TOKEN_SECRET = "ak-emulator", "as-emulator"


def check_token(call: Call) -> None:
    """
    :raises Fault: when a client has no valid token; containers need none. The wording is invented.
    """
    if call.metadata.get("x-modal-client-type") == str(api_pb2.CLIENT_TYPE_CONTAINER):
        return
    token = call.metadata.get("x-modal-token-id", "")
    if (token, call.metadata.get("x-modal-token-secret")) != (TOKEN_ID, TOKEN_SECRET):
        raise Fault(Status.UNAUTHENTICATED, f"Token validation failed for token id {token!r}")


class Identity:
    async def ClientHello(self, request: Any, call: Call) -> Any:
        return api_pb2.ClientHelloResponse()

    async def AuthTokenGet(self, request: Any, call: Call) -> Any:
        return api_pb2.AuthTokenGetResponse(token=fake_jwt())

    async def TokenInfoGet(self, request: Any, call: Call) -> Any:
        return api_pb2.TokenInfoGetResponse(
            token_id=call.metadata.get("x-modal-token-id", ""),
            workspace_id="ws-emulator",
            workspace_name=WORKSPACE,
            user_identity=api_pb2.UserIdentity(user_id="us-emulator", username=WORKSPACE),
        )

    async def WorkspaceNameLookup(self, request: Any, call: Call) -> Any:
        return api_pb2.WorkspaceNameLookupResponse(workspace_name=WORKSPACE, username=WORKSPACE)

    async def ObjectSuggest(self, request: Any, call: Call) -> Any:
        return api_pb2.ObjectSuggestResponse()
