"""The control API, for tests: what the emulator holds, and a hand on its clock. Modal has no such thing."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .containers.sandbox import Sandboxes
from .describe import describe, describe_call
from .faults import Faults
from .records import FunctionCall
from .services.calls import Calls
from .services.schedules import Schedules
from .state import DEFAULT_ENVIRONMENT, State


def control_routes(
    state: State, calls: Calls, schedules: Schedules, sandboxes: Sandboxes, faults: Faults
) -> web.RouteTableDef:
    routes = web.RouteTableDef()

    @routes.get("/state")
    async def get_state(request: web.Request) -> web.Response:
        return web.json_response(describe(state, list(sandboxes.all())))

    @routes.get("/schedules")
    async def get_schedules(request: web.Request) -> web.Response:
        """Each live cron with its next firing: ?after=ISO (default: now)."""
        after = _instant(request.query["after"]) if "after" in request.query else datetime.now(UTC)
        return web.json_response(
            [
                {
                    "app": app.name,
                    "environment": app.environment,
                    "function": function.name,
                    "cron": cron.expression,
                    "timezone": cron.timezone,
                    "next": when.isoformat() if (when := cron.next_after(after)) else None,
                }
                for app, function, cron in schedules.all()
            ]
        )

    @routes.post("/fire")
    async def fire(request: web.Request) -> web.Response:
        """Run a deployed function now, as its schedule would: {"app", "environment"?, "function"?, "wait"?}."""
        body = await request.json()
        app = state.deployed_app(body["app"], body.get("environment") or DEFAULT_ENVIRONMENT)
        if app is None:
            return web.json_response({"error": f"no deployed app {body['app']!r}"}, status=404)
        name = body.get("function") or next(iter(app.function_ids), None)
        if name not in app.function_ids:
            problem = {"error": f"no function {name!r}", "functions": list(app.function_ids)}
            return web.json_response(problem, status=404)
        return await answer([calls.start(state.functions[app.function_ids[name]], "fire")], body)

    @routes.post("/advance")
    async def advance(request: web.Request) -> web.Response:
        """Start every cron that is due in (from, to]: {"from": ISO, "to": ISO, "wait"?}."""
        body = await request.json()
        return await answer(schedules.fire_due(_instant(body["from"]), _instant(body["to"])), body)

    async def answer(started: list[FunctionCall], body: dict[str, Any]) -> web.Response:
        if body.get("wait", True):
            for call in started:
                await calls.ended(call)
        return web.json_response([describe_call(state, call) for call in started])

    @routes.get("/calls/{id}")
    async def get_call(request: web.Request) -> web.Response:
        call = state.calls.get(request.match_info["id"])
        if call is None:
            return web.json_response({"error": "not found"}, status=404)
        return web.json_response(describe_call(state, call))

    @routes.get("/rpcs")
    async def get_rpcs(request: web.Request) -> web.Response:
        """The RPCs received: ?since=INDEX."""
        since = int(request.query.get("since", 0))
        return web.json_response([asdict(record) for record in state.rpcs[since:]])

    @routes.get("/faults")
    async def get_faults(request: web.Request) -> web.Response:
        """Those that were set, each with how often it has still to come: [{"method", "times"}]."""
        return web.json_response(faults.left())

    @routes.put("/faults")
    async def put_faults(request: web.Request) -> web.Response:
        """RPCs that are to fail, or (without a status) to wait: [{"method", "status"?, "message"?, "times"?}]."""
        faults.replace(await request.json())
        return web.json_response([])

    return routes


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
