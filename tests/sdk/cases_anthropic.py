"""The `anthropic` package: messages, count_tokens, batches, models."""

import asyncio
import base64
import json
import time

import anthropic

import answers
from harness import ATTACK, HELLO, TRANSPORT_ERRORS, case, raises

WEATHER = {
    "name": "weather", "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(world, **options):
    return anthropic.Anthropic(**{"base_url": world.base, "api_key": world.token, "timeout": 30, **options})


def create(world, content=HELLO, model="claude-test", messages=None, **options):
    messages = messages or [{"role": "user", "content": content}]
    return client(world).messages.create(model=model, max_tokens=100, messages=messages, **options)


def image_block(world):
    data = base64.b64encode(world.random.randbytes(7_500_000)).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


@case("anthropic", "messages: an answer comes back, the body goes up byte for byte")
def whole(world):
    system = [{"type": "text", "text": "Be brief – bitte.", "cache_control": {"type": "ephemeral"}}]
    answer = create(world, system=system, tools=[WEATHER], stop_sequences=["END"])
    assert answer.content[0].text == answers.TEXT and answer.usage.output_tokens == 22
    world.unchanged()


@case("anthropic", "messages: a stream comes in many events and adds up")
def stream(world):
    events = list(create(world, stream=True))
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == answers.TEXT and len(events) > 10 and events[-1].type == "message_stop"
    world.unchanged()
    with client(world).messages.stream(model="claude-test", max_tokens=9, messages=[{"role": "user", "content": HELLO}]) as helper:
        assert "".join(helper.text_stream) == answers.TEXT
        assert helper.get_final_message().content[0].text == answers.TEXT


@case("anthropic", "messages: tool calls in the answer, whole and streamed")
def tools(world):
    expected = json.loads(answers.ARGUMENTS)
    assert create(world, model="claude-tool", tools=[WEATHER]).content[0].input == expected
    events = list(create(world, model="claude-tool", tools=[WEATHER], stream=True))
    pieces = [event.delta.partial_json for event in events if event.type == "content_block_delta"]
    assert "".join(pieces) == answers.ARGUMENTS and len(pieces) > 5


def history(tool_input, result, thinking=None):
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": tool_input}
    return [
        {"role": "user", "content": [{"type": "text", "text": HELLO}]},
        {"role": "assistant", "content": [*([thinking] if thinking else []), call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": result}]},
    ]


@case("anthropic", "messages: tool calls and signed thinking in the history go up byte for byte")
def tool_history(world):
    signature = base64.b64encode(world.random.randbytes(400)).decode()
    thinking = {"type": "thinking", "thinking": f"The user wants {world.secret.github()}.", "signature": signature}
    create(world, messages=history({"city": "Köln", "days": 2.50}, [{"type": "text", "text": "Sonne"}], thinking), tools=[WEATHER])
    world.unchanged()


@case("anthropic", "messages: secrets are masked in content, parts, system, tool input, results and documents")
def masks(world):
    system, text, tool_input, result, document = (world.secret.github() for _ in range(5))
    messages = history({"note": f"with {tool_input} inside"}, [{"type": "text", "text": f"gave {result} back"}])
    source = {"type": "text", "media_type": "text/plain", "data": f"Page one {document} end"}
    messages.append({"role": "assistant", "content": "And?"})
    messages.append({"role": "user", "content": [{"type": "document", "source": source}, {"type": "text", "text": f"My {text} here."}]})
    create(world, messages=messages, system=[{"type": "text", "text": f"Key {system} here."}], tools=[WEATHER])
    body = world.last().json
    world.masked(body["system"][0]["text"], system, "Key ", " here.")
    world.masked(body["messages"][1]["content"][0]["input"]["note"], tool_input, "with ", " inside")
    world.masked(body["messages"][2]["content"][0]["content"][0]["text"], result, "gave ", " back")
    world.masked(body["messages"][4]["content"][0]["source"]["data"], document, "Page one ", " end")
    world.masked(body["messages"][4]["content"][1]["text"], text, "My ", " here.")
    world.nowhere(system, text, tool_input, result, document)


@case("anthropic", "messages: string content and string system are masked")
def masks_strings(world):
    system, text = world.secret.aws(), world.secret.openai()
    create(world, content=f"My {text} here.", system=f"Key {system} here.")
    world.masked(world.last().json["system"], system, "Key ", " here.")
    world.masked(world.last().json["messages"][0]["content"], text, "My ", " here.")


@case("anthropic", "messages: a 10 MB image arrives untouched")
def image(world):
    block = image_block(world)
    create(world, content=[block, {"type": "text", "text": HELLO}])
    assert world.last().json["messages"][0]["content"][0]["source"]["data"] == block["source"]["data"]
    world.unchanged()


@case("anthropic", "messages: 50 at once, each with its own secret and its own answer")
def many(world):
    secrets = [world.secret.github() for _ in range(50)]

    async def one(sdk, number):
        message = {"role": "user", "content": f"Request {number} holds {secrets[number]} here."}
        answer = await sdk.messages.create(model="claude-test", max_tokens=9, messages=[message])
        return answer.content[0].text

    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=world.base, api_key=world.token, timeout=30) as sdk:
            return await asyncio.gather(*(one(sdk, number) for number in range(50)))

    assert asyncio.run(all_of_them()) == [answers.TEXT] * 50
    assert len({received.json["messages"][0]["content"].split()[1] for received in world.received()}) == 50
    world.nowhere(*secrets)


@case("anthropic", "a blocked prompt raises BadRequestError after one attempt", needs_gateway=True)
def blocked(world):
    for content in (ATTACK, [image_block(world), {"type": "text", "text": ATTACK}]):
        for stream in (False, True):
            error = raises(anthropic.BadRequestError, lambda c=content, s=stream: create(world, c, stream=s))
            assert error.status_code == 400 and error.body["type"] == "error", error.body
            assert error.body["error"]["type"] == "invalid_request_error" and ATTACK[:30] not in str(error)
            assert error.response.headers["x-should-retry"] == "false" and error.response.headers["x-promptgate-verdict"]
            world.refused_once()
            world.sent().clear()


@case("anthropic", "a bad token raises AuthenticationError, a missing scope PermissionDeniedError", needs_gateway=True)
def credentials(world):
    for key, kind, name in [("spv-not-a-token", anthropic.AuthenticationError, "authentication_error"),
                            (world.settings.narrow_token, anthropic.PermissionDeniedError, "permission_error")]:
        sdk = client(world, api_key=key)
        messages = [{"role": "user", "content": HELLO}]
        error = raises(kind, lambda: sdk.messages.create(model="m", max_tokens=9, messages=messages))
        assert error.body["error"]["type"] == name, error.body
        world.refused_once()
        world.sent().clear()


@case("anthropic", "both homes of the credential work: x-api-key and Authorization", needs_gateway=True)
def both_credentials(world):
    messages = [{"role": "user", "content": HELLO}]
    for options in ({}, {"api_key": None, "auth_token": world.token}):
        client(world, **options).messages.create(model="m", max_tokens=9, messages=messages)
        last = world.last()
        key = world.settings.keys["ANTHROPIC_API_KEY"]
        assert last.header("x-api-key") == key and last.header("authorization") is None, last.headers
    answer = {"x-api-key": world.token, "anthropic-version": "2023-06-01"}
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    response = world.raw.post("/v1/messages", json=body, headers=answer)
    assert response.status_code == 200, response.text


@case("anthropic", "the SDK's headers go up", needs_gateway=True)
def headers(world):
    beta = {"anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14"}
    create(world, extra_headers=beta)
    last = world.last()
    version = dict(client(world).default_headers)["anthropic-version"]
    assert last.header("anthropic-version") == version and last.header("anthropic-beta") == beta["anthropic-beta"]
    assert last.header("x-stainless-lang") == "python" and last.header("accept-encoding") == "identity"
    answer = dict(world.sent()[-1].headers)
    assert answer["request-id"] == "req_upstream" and answer["anthropic-ratelimit-requests-remaining"] == "41"
    assert "set-cookie" not in answer


@case("anthropic", "upstream errors come through as they are, typed")
def upstream_errors(world):
    kinds = {400: anthropic.BadRequestError, 429: anthropic.RateLimitError, 500: anthropic.InternalServerError}
    for status, kind in {**kinds, 529: anthropic.InternalServerError}.items():
        sdk = client(world, max_retries=0)
        messages = [{"role": "user", "content": HELLO}]
        call = lambda: sdk.messages.create(model=f"claude-error{status}", max_tokens=9, messages=messages)
        error = raises(anthropic.APIStatusError if status == 529 else kind, call)
        assert error.status_code == status and error.body["error"]["type"] == "upstream_error"
        assert bytes(world.sent()[-1].answer) == answers.error_body("/v1/messages", status)


@case("anthropic", "a stream cut off upstream raises instead of ending")
def cut_stream(world):
    # The gateway says why in an event before it breaks off, which this SDK raises as an error of the API.
    raises((anthropic.APIStatusError, anthropic.APIConnectionError, *TRANSPORT_ERRORS),
           lambda: list(create(world, model="claude-cut", stream=True)))


@case("anthropic", "a caller that leaves takes the upstream request with it, within a second")
def caller_leaves(world):
    stream = create(world, model="claude-slow", stream=True)
    next(iter(stream))
    left = time.time()
    stream.close()
    world.upstream_was_left(left)


@case("anthropic", "count_tokens, batches, models and the beta surface pass and are masked")
def other_endpoints(world):
    sdk, secret = client(world), world.secret.github()
    messages = [{"role": "user", "content": HELLO}]
    assert sdk.messages.count_tokens(model="claude-test", messages=messages).input_tokens == 11
    world.unchanged()
    params = {"model": "claude-test", "max_tokens": 9, "messages": messages}
    assert sdk.messages.batches.create(requests=[{"custom_id": "one", "params": params}]).id == "msgbatch_1"
    world.unchanged()
    hidden = {**params, "messages": [{"role": "user", "content": f"My {secret} here."}]}
    sdk.messages.batches.create(requests=[{"custom_id": "one", "params": hidden}])
    world.masked(world.last().json["requests"][0]["params"]["messages"][0]["content"], secret, "My ", " here.")
    listing = client(world, base_url=f"{world.base}/anthropic")
    assert [model.id for model in listing.models.list()] == [answers.MODEL]
    assert sdk.beta.messages.create(**params, betas=["files-api-2025-04-14"]).content[0].text == answers.TEXT
    last = world.last()
    assert "files-api-2025-04-14" in last.header("anthropic-beta"), last.headers
    assert last.query == world.sent()[-1].url.partition("?")[2], "the old SDK says ?beta=true, the new one nothing"
    world.unchanged()
