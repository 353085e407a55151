"""Comparing and keeping definitions of functions."""

from modal_proto import api_pb2

from ..ids import content_id


def frozen(definition: api_pb2.Function) -> api_pb2.Function:
    copy = api_pb2.Function()
    copy.CopyFrom(definition)
    return copy


def definition_id(definition: api_pb2.Function) -> str:
    """Equal for equal definitions; mount_ids come from a set, so their order says nothing."""
    plain = frozen(definition)
    mounts = sorted(plain.mount_ids)
    del plain.mount_ids[:]
    plain.mount_ids.extend(mounts)
    return content_id("de", plain.SerializeToString(deterministic=True))
