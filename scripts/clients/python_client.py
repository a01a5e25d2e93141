"""Drives `allsource mcp` with the Python SDK, in both eras of the protocol.

    python -m venv venv && venv/bin/pip install 'mcp==2.3.*'
    venv/bin/python scripts/clients/python_client.py target/release/allsource

Works on a store of its own in a temporary directory. With `--data DIR` it also pages through a store that is there
(`--page TYPE`, `--expect COUNT`) and reads an entity through time (`--state ENTITY --as-of TIME`).
Exits 0 when everything held, and says what did not.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time

from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult, PromptReference, ResourceTemplateReference

ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"  ok  {what}")


def body(result):
    """The answer's object; the text must say the same."""
    check_text = json.loads(result.content[0].text)
    if check_text != result.structured_content:
        raise SystemExit(f"FAILED: the text differs from the object: {result}")
    return result.structured_content


async def done(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise SystemExit(f"FAILED: {tool} {arguments}: {result.structured_content}")
    return body(result)


async def refused(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    if not result.is_error:
        raise SystemExit(f"FAILED: {tool} {arguments} was not refused: {result.structured_content}")
    return body(result)["error"]


def positions(answer):
    """The positions of a page of `query_events`."""
    table = answer["table"]
    at = table["columns"].index("position")
    return [row[at] for row in table["rows"]]


async def append(client, prefix, count, event_type):
    events = [
        {"entity_id": f"{prefix}-{n % 7}", "event_type": event_type, "payload": {"n": n, "text": "x" * (n % 50)}}
        for n in range(count)
    ]
    return await done(client, "append_events", branch="main", events=events)


async def page(client, event_type, while_paging=None):
    """All positions of a type, by cursor, oldest first; `while_paging` runs between pages."""
    seen, pages, answer = [], 0, await done(
        client, "query_events", event_type=event_type, order="asc", limit=1000)
    while True:
        pages += 1
        seen += positions(answer)
        cursor = answer.get("next_cursor")
        if cursor is None:
            return seen, pages
        if while_paging:
            await while_paging()
        answer = await done(client, "query_events", cursor=cursor)


def check_pages(seen, expected, pages):
    check(len(seen) == expected, f"{len(seen)} of {expected} events in {pages} pages")
    check(seen == sorted(set(seen)), "no gap, no repeat, in order")


async def own_store(client):
    started = time.perf_counter()
    await append(client, "user", 1500, "page.viewed")
    print(f"  1,500 events stored in {(time.perf_counter() - started) * 1000:.0f} ms")

    async def more():
        await append(client, "other", 10, "page.viewed")

    before = (await done(client, "quick_stats", event_type="page.viewed"))["counts"]["events"]
    seen, pages = await page(client, "page.viewed", more)
    check_pages(seen, before, pages)

    event = {"entity_id": "order-1", "event_type": "order.placed", "payload": {"n": 12345678901234567890123}}
    await done(client, "append_events", branch="main", events=[event])
    error = await refused(client, "append_events", branch="main", events=[event], expected_versions={"order-1": 9})
    check(error["code"] == "version_conflict" and "1" in json.dumps(error), f"a conflict says: {error['message']}")
    found = await done(client, "query_events", entity_id="order-1", response_format="detailed")
    check("12345678901234567890123" in json.dumps(found), "a number of 23 digits comes back whole")
    state = await done(client, "get_entity_state", entity_id="order-1")
    check(state["version"] == 1, f"the state is at version {state['version']}")


async def protocol(client):
    tools = (await client.list_tools()).tools
    check({"quick_stats", "query_events", "append_events"} <= {tool.name for tool in tools}, f"{len(tools)} tools")
    check(all(tool.title and tool.output_schema and tool.annotations for tool in tools), "titles, schemas, hints")
    if client.server_info:  # A pinned version has asked the server nothing.
        check(bool(client.instructions), f"instructions of {len(client.instructions or '')} characters")
    try:
        await client.call_tool("quick_stat", {})
        check(False, "an unknown tool is refused")
    except MCPError as error:
        check("quick_stats" in str(error), f"an unknown tool: {error}")

    prompts = (await client.list_prompts()).prompts
    check(len(prompts) >= 6, "prompts: " + ", ".join(prompt.name for prompt in prompts))
    for prompt in prompts:
        arguments = {argument.name: "order-1" for argument in prompt.arguments or [] if argument.required}
        text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
        check(len(text) > 100, f"prompt {prompt.name}: {len(text)} characters")
    for prompt in prompts:
        for argument in prompt.arguments or []:
            reference = PromptReference(type="ref/prompt", name=prompt.name)
            found = await client.complete(reference, {"name": argument.name, "value": ""})
            print(f"      {prompt.name}.{argument.name}: {found.completion.values[:3]}")

    resources = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    check(len(resources) == 2 and len(templates) == 2, "two resources, two templates")
    for uri in ["allsource://overview", "allsource://queries", "allsource://entity/order-1", "allsource://type/order.placed"]:
        text = (await client.read_resource(uri)).contents[0].text
        check(isinstance(json.loads(text), dict), f"{uri}: {len(text)} characters")
    try:
        await client.read_resource("allsource://entity/nobody")
        check(False, "an unknown entity is refused")
    except MCPError as error:
        check("nobody" in str(error), f"an unknown entity: {error}")
    for template, name, value in [(templates[0], "entity_id", "ord"), (templates[1], "event_type", "order")]:
        reference = ResourceTemplateReference(type="ref/resource", uri=template.uri_template)
        found = await client.complete(reference, {"name": name, "value": value})
        check(len(found.completion.values) > 0, f"{name} {value}… completes to {found.completion.values}")


async def given_store(client, options):
    if options.page:
        seen, pages = await page(client, options.page, lambda: append(client, "beside", 10, options.page))
        expected = options.expect if options.expect is not None else len(seen)
        check_pages(seen, expected, pages)
    if options.state:
        for as_of in [options.as_of, None]:
            arguments = {"as_of": as_of} if as_of else {}
            state = await done(client, "get_entity_state", entity_id=options.state, **arguments)
            print(f"      {options.state} as of {as_of or 'now'}: {json.dumps(state)[:400]}")


async def forks(program, mode, data):
    """A fork is made, changed and compared; a person at the client is asked before main changes."""
    asked, answers = [], [{"action": "decline"}, {"action": "accept"}]

    async def person(_context, params):
        asked.append(params.message)
        answer = answers.pop(0)
        if answer["action"] == "accept":
            answer["content"] = {name: True for name in params.requested_schema.get("properties", {})}
        return ElicitResult(**answer)

    server = StdioServerParameters(command=program, args=["mcp", "--data", data, "--writes", "forks"])
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        fork = (await done(client, "create_sandbox_fork", purpose="ten percent off"))["fork_id"]
        event = {"entity_id": "user-1", "event_type": "user.renamed", "payload": {"n": -1}}
        await refused(client, "append_events", branch="main", events=[event])
        await done(client, "append_events", branch=fork, events=[event])
        found = await done(client, "hybrid_search", keywords="renamed", branch=fork)
        check(len(positions(found)) == 1, "the fork's event is found on the fork")
        check((await done(client, "diff_fork", fork_id=fork))["events"] == 1, "the diff has one event")
        before = (await done(client, "quick_stats"))["counts"]["events"]
        await refused(client, "promote_fork", fork_id=fork)
        check((await done(client, "quick_stats"))["counts"]["events"] == before, "a person's no leaves main as it was")
        promoted = await done(client, "promote_fork", fork_id=fork)
        check(promoted["promoted"] and promoted["events"] == 1, f"a person's yes promotes: {asked[-1]!r}")
        check((await done(client, "quick_stats"))["counts"]["events"] == before + 1, "main has it once")
        check(len(asked) == 2, "the person was asked each time")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the allsource program")
    parser.add_argument("--data", help="a store that is there; events are appended to it while paging")
    parser.add_argument("--page", help="page through all events of this type")
    parser.add_argument("--expect", type=int, help="how many there are")
    parser.add_argument("--state", help="read this entity")
    parser.add_argument("--as-of", help="as of this time, and now")
    options = parser.parse_args()

    for mode, version in ERAS.items():
        with tempfile.TemporaryDirectory() as data:
            server = StdioServerParameters(command=options.program, args=["mcp", "--data", data])
            async with Client(server, mode=mode) as client:
                print(f"{mode}: {client.protocol_version}")
                check(client.protocol_version == version, f"speaks {version}")
                await own_store(client)
                await protocol(client)
            await forks(options.program, mode, data)
    if options.data:
        server = StdioServerParameters(command=options.program, args=["mcp", "--data", options.data])
        async with Client(server) as client:
            print(options.data)
            await given_store(client, options)
    print("everything held")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
