"""The MCP clients under test behind one shape: `connect(url, token)` gives something that lists tools and calls them.

Both generations of the official package and of fastmcp run this file, each in a virtual environment of its own.
"""

import contextlib
import importlib.metadata
from dataclasses import dataclass

import fastmcp
from fastmcp.client.transports import StreamableHttpTransport

NEW = importlib.metadata.version("mcp").startswith("2.")
CLIENTS = ["mcp", "mcp, handshake", "fastmcp"] if NEW else ["mcp", "fastmcp"]
CALL_SECONDS = 20


@dataclass
class Outcome:
    """Of a call. `error` is one of the protocol's that the client raised."""

    is_error: bool
    data: object = None
    text: str = ""
    error: str = ""
    code: int = 0


def field(thing, *names):
    """Names of fields differ by generation: `is_error`, `isError`."""
    for name in names:
        if hasattr(thing, name):
            return getattr(thing, name)
    raise AttributeError(names)


class Connection:
    def __init__(self, session, raw):
        self.session, self.raw = session, raw

    async def tools(self):
        listed = await self.session.list_tools()
        return listed if isinstance(listed, list) else listed.tools

    async def call(self, name, arguments):
        try:
            result = await self.raw(name, arguments)
        except Exception as error:  # noqa: BLE001  each generation has classes of its own for this
            details = getattr(error, "error", error)
            return Outcome(True, error=f"{type(error).__name__}: {error}", code=getattr(details, "code", 0))
        text = "".join(field(block, "text") for block in result.content)
        return Outcome(bool(field(result, "is_error", "isError")), field(result, "structured_content", "structuredContent"), text)


@contextlib.asynccontextmanager
async def connect(client, url, token):
    headers = {"Authorization": f"Bearer {token}"}
    if client == "fastmcp":
        async with fastmcp.Client(StreamableHttpTransport(url, headers=headers), timeout=CALL_SECONDS) as session:
            yield Connection(session, session.call_tool_mcp)
    elif NEW:
        async with new_client(client, url, headers) as session:
            yield Connection(session, session.call_tool)
    else:
        async with old_client(url, headers) as session:
            yield Connection(session, session.call_tool)


@contextlib.asynccontextmanager
async def new_client(client, url, headers):
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    mode = "legacy" if client == "mcp, handshake" else "auto"
    async with httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as session:
            yield session


@contextlib.asynccontextmanager
async def old_client(url, headers):
    from datetime import timedelta

    import httpx
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with httpx.AsyncClient(headers=headers, timeout=CALL_SECONDS) as http:
        async with streamable_http_client(url, http_client=http) as (read, write, _):
            async with ClientSession(read, write, read_timeout_seconds=timedelta(seconds=CALL_SECONDS)) as session:
                await session.initialize()
                yield session


@contextlib.asynccontextmanager
async def over_pipes(command, arguments, environment):
    """The same tools, of a process the client starts."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async with stdio_client(StdioServerParameters(command=command, args=arguments, env=environment)) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            yield Connection(session, session.call_tool)
