"""The plain-HTTP side that Modal has too: the storage that clients upload to, and web endpoints."""

import hashlib
from pathlib import Path

from aiohttp import web
from modal_proto import api_pb2

from .services.caller_side import CallerSide
from .services.volumes import Volumes
from .state import State

MAX_UPLOAD_BYTES = 8 * 1024**3


def storage_routes(state: State, volumes: Volumes) -> web.RouteTableDef:
    routes = web.RouteTableDef()

    @routes.put("/blobs/{id}")
    async def put_blob(request: web.Request) -> web.Response:
        data = await request.read()
        state.blobs.put(request.match_info["id"], data)
        # The client compares the ETag with its own md5 of what it sent.
        return web.Response(headers={"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

    @routes.get("/blobs/{id}")
    async def get_blob(request: web.Request) -> web.FileResponse:
        return web.FileResponse(state.blobs.path(request.match_info["id"]))

    @routes.put("/blocks/{digest}")
    async def put_block(request: web.Request) -> web.Response:
        volumes.put_block(request.match_info["digest"], await request.read())
        return web.Response(text="stored")

    def range_of(place: Path, request: web.Request) -> web.Response:
        start, stop = int(request.query["start"]), int(request.query["stop"])
        with place.open("rb") as file:
            file.seek(start)
            return web.Response(body=file.read(stop - start))

    @routes.get("/blocks/{digest}")
    async def get_block_range(request: web.Request) -> web.Response:
        start, stop = int(request.query["start"]), int(request.query["stop"])
        return web.Response(body=volumes.read_blocks[request.match_info["digest"]][start:stop])

    @routes.get("/volumes/{id}/{path:.*}")
    async def get_volume_range(request: web.Request) -> web.Response:
        return range_of(volumes.path(request.match_info["id"], request.match_info["path"]), request)

    return routes


def web_endpoint_routes(state: State, caller_side: CallerSide) -> web.RouteTableDef:
    routes = web.RouteTableDef()

    @routes.route("*", "/web/{id:[^/]+}{path:.*}")
    async def serve_web_endpoint(request: web.Request) -> web.Response:
        """Every request gets a container of its own, and its answer when that is complete."""
        function = state.functions.get(request.match_info["id"])
        if function is None or not function.web_url or state.app(function.app_id).state == api_pb2.APP_STATE_STOPPED:
            return web.Response(status=404, text="modal-http: invalid function call\n")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.match_info["path"] or "/",
            "query_string": request.query_string.encode(),
            "client": (request.remote, 0),
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
        }
        answer = web.Response(status=500, text="modal-http: internal error: the container gave no answer\n")
        body = b""
        async for message in caller_side.call_web(function, scope, await request.read()):
            if message.HasField("http_response_start"):
                flat = [part.decode("latin-1") for part in message.http_response_start.headers]
                answer = web.Response(status=message.http_response_start.status)
                for name, value in zip(flat[::2], flat[1::2]):
                    if name.lower() != "content-length":
                        answer.headers.add(name, value)
            elif message.HasField("http_response_body"):
                body += message.http_response_body.body
                answer.body = body
        return answer

    return routes
