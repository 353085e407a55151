"""How things end, and how long a client is kept waiting for it."""

from modal_proto import api_pb2

type Status = api_pb2.GenericResult.GenericStatus.ValueType

SUCCESS = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
FAILURE = api_pb2.GenericResult.GENERIC_STATUS_FAILURE
TERMINATED = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
TIMEOUT = api_pb2.GenericResult.GENERIC_STATUS_TIMEOUT
INTERNAL_FAILURE = api_pb2.GenericResult.GENERIC_STATUS_INTERNAL_FAILURE

POLL_SECONDS = 50  # how long a long poll is held before it is answered "nothing yet"


def status_name(status: Status) -> str:
    """ "GENERIC_STATUS_SUCCESS", …"""
    return str(api_pb2.GenericResult.GenericStatus.Name(status))
