"""The layout of an app, as it is sent to clients and containers."""

from modal_proto import api_pb2

from ..records import App, Volume
from ..state import WORKSPACE, State


def app_layout(state: State, app: App) -> api_pb2.AppLayout:
    """Its functions, and every secret, image and volume that they depend on: a container looks each of them up here."""
    layout = api_pb2.AppLayout(function_ids=app.function_ids, class_ids=app.class_ids)
    dependencies: dict[str, None] = {}  # a set that keeps its order
    for id in app.function_ids.values():
        function = state.functions[id]
        layout.objects.add(object_id=id, function_handle_metadata=function.handle_metadata())
        if function.definition:
            dependencies.update((d.object_id, None) for d in function.definition.object_dependencies)
    for id in dependencies:
        volume = state.volumes.get(id)
        layout.objects.add(object_id=id, volume_metadata=volume_metadata(volume) if volume else None)
    return layout


def volume_metadata(volume: Volume) -> api_pb2.VolumeMetadata:
    return api_pb2.VolumeMetadata(
        version=volume.version,
        name=volume.name,
        creation_info=api_pb2.CreationInfo(created_at=volume.created_at, created_by=WORKSPACE),
    )
