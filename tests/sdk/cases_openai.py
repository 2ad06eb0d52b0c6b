"""The `openai` package: chat completions, responses, completions, embeddings, moderations, models, and its Azure client."""

import asyncio
import base64
import json
import time

import openai

import answers
from harness import ATTACK, HELLO, TRANSPORT_ERRORS, case, raises

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
}}


def client(world, **options):
    return openai.OpenAI(base_url=f"{world.base}/v1", **{"api_key": world.token, "timeout": 30, **options})


def azure(world, **options):
    return openai.AzureOpenAI(azure_endpoint=world.base, api_key=world.token, api_version="2024-10-21", timeout=30, **options)


def chat(world, content=HELLO, model="gpt-test", messages=None, **options):
    messages = messages or [{"role": "user", "content": content}]
    return client(world).chat.completions.create(model=model, messages=messages, **options)


def streamed_text(stream):
    chunks = list(stream)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), len(chunks)


@case("openai", "chat: an answer comes back, the body goes up byte for byte")
def chat_whole(world):
    answer = chat(world, temperature=1.0, seed=12345678901234567890, metadata={"team": "blue"}, tools=[WEATHER])
    assert answer.choices[0].message.content == answers.TEXT
    assert answer.usage.total_tokens == 33
    assert answer._request_id == "req_upstream" or not world.settings.through_gateway or answer._request_id
    world.unchanged()


@case("openai", "chat: a stream comes in many events and adds up")
def chat_stream(world):
    text, count = streamed_text(chat(world, stream=True, stream_options={"include_usage": True}))
    assert text == answers.TEXT, text
    assert count > 10, f"{count} events"
    world.unchanged()


@case("openai", "chat: events arrive when the upstream sends them")
def chat_stream_is_live(world):
    started, arrivals = time.monotonic(), []
    stream = chat(world, model="gpt-slow", stream=True)
    for _ in stream:
        arrivals.append(time.monotonic() - started)
        if len(arrivals) == 8:
            break
    stream.close()
    assert arrivals[0] < 2.0 and arrivals[-1] - arrivals[0] > 0.4, arrivals


@case("openai", "chat: tool calls in the answer, whole and streamed")
def chat_tools(world):
    call = chat(world, model="gpt-tool", tools=[WEATHER]).choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", answers.ARGUMENTS)
    pieces = []
    for chunk in chat(world, model="gpt-tool", tools=[WEATHER], stream=True):
        for delta in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            pieces.append(delta.function.arguments)
    assert "".join(pieces) == answers.ARGUMENTS and len(pieces) > 5


def tool_history(call_arguments, result, system="You answer questions about the weather."):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": call_arguments}}
    return [
        {"role": "system", "content": system}, {"role": "user", "content": [{"type": "text", "text": HELLO}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


@case("openai", "chat: tool calls in the history go up byte for byte")
def chat_tool_history(world):
    chat(world, messages=tool_history(answers.ARGUMENTS, '{"degrees": 21.50, "sky": "bew\\u00f6lkt"}'), tools=[WEATHER])
    world.unchanged()


@case("openai", "chat: secrets are masked in content, parts and system text")
def chat_masks_text(world):
    content, part, system = world.secret.github(), world.secret.aws(), world.secret.stripe()
    chat(world, messages=[
        {"role": "system", "content": f"The billing key is {system} today."},
        {"role": "user", "content": f"My token is {content} – keep it."},
        {"role": "user", "content": [{"type": "text", "text": "First part."}, {"type": "text", "text": f"Use {part} please."}]},
    ])
    messages = world.last().json["messages"]
    world.masked(messages[0]["content"], system, "The billing key is ", " today.")
    world.masked(messages[1]["content"], content, "My token is ", " – keep it.")
    world.masked(messages[2]["content"][1]["text"], part, "Use ", " please.")
    assert messages[2]["content"][0]["text"] == "First part."
    world.nowhere(content, part, system)


@case("openai", "chat: secrets are masked in tool arguments and results, which stay valid JSON")
def chat_masks_tools(world):
    argument, result = world.secret.github(), world.secret.slack()
    nested = json.dumps({"city": "Köln", "note": f'the "key" is {argument}', "days": [1, 2.50]})
    chat(world, messages=tool_history(nested, json.dumps({"log": f"got\n{result}\nback"}, ensure_ascii=False)), tools=[WEATHER])
    messages = world.last().json["messages"]
    arguments = json.loads(messages[2]["tool_calls"][0]["function"]["arguments"])
    world.masked(arguments["note"], argument, 'the "key" is ', "")
    assert (arguments["city"], arguments["days"]) == ("Köln", [1, 2.5])
    world.masked(json.loads(messages[3]["content"])["log"], result, "got\n", "\nback")
    world.nowhere(argument, result)


@case("openai", "chat: every kind of fresh secret is masked")
def chat_masks_all(world):
    for secret in world.secret.all():
        chat(world, content=f"Please look at {secret} and explain.")
        world.masked(world.last().json["messages"][0]["content"], secret, "Please look at ", " and explain.")


@case("openai", "chat: a 10 MB image arrives untouched")
def chat_image(world):
    image = "data:image/png;base64," + base64.b64encode(world.random.randbytes(7_500_000)).decode()
    parts = [{"type": "text", "text": HELLO}, {"type": "image_url", "image_url": {"url": image}}]
    assert chat(world, content=parts).choices[0].message.content == answers.TEXT
    assert world.last().json["messages"][0]["content"][1]["image_url"]["url"] == image
    world.unchanged()


@case("openai", "chat: a secret beside a 10 MB image is masked, the image untouched")
def chat_image_and_secret(world):
    image = "data:image/png;base64," + base64.b64encode(world.random.randbytes(7_500_000)).decode()
    secret = world.secret.github()
    chat(world, content=[{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": f"Use {secret}."}])
    parts = world.last().json["messages"][0]["content"]
    assert parts[0]["image_url"]["url"] == image
    world.masked(parts[1]["text"], secret, "Use ", ".")


@case("openai", "chat: 50 at once, each with its own secret and its own answer")
def chat_many(world):
    secrets = [world.secret.github() for _ in range(50)]

    async def one(sdk, number):
        content = f"Request {number} holds {secrets[number]} here."
        stream = await sdk.chat.completions.create(
            model="gpt-test", messages=[{"role": "user", "content": content}], stream=number % 2 == 0)
        if number % 2:
            return stream.choices[0].message.content
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def many():
        async with openai.AsyncOpenAI(base_url=f"{world.base}/v1", api_key=world.token, timeout=30) as sdk:
            return await asyncio.gather(*(one(sdk, number) for number in range(50)))

    assert asyncio.run(many()) == [answers.TEXT] * 50
    arrived = sorted(received.json["messages"][0]["content"] for received in world.received())
    assert len(arrived) == 50 and len({text.split()[1] for text in arrived}) == 50
    world.nowhere(*secrets)


@case("openai", "a blocked prompt raises BadRequestError after one attempt", needs_gateway=True)
def blocked(world):
    for options in ({}, {"stream": True}):
        error = raises(openai.BadRequestError, lambda options=options: list(chat(world, ATTACK, **options)))
        assert (error.status_code, error.code, error.type) == (400, "content_filter", "invalid_request_error"), error.body
        assert ATTACK[:30] not in str(error), "the prompt is echoed"
        assert error.request_id and error.response.headers["x-should-retry"] == "false"
        assert error.response.headers["x-promptgate-verdict"]
        world.refused_once()
        world.sent().clear()


@case("openai", "a prompt blocked beside a 10 MB image raises BadRequestError after one attempt", needs_gateway=True)
def blocked_late(world):
    image = "data:image/png;base64," + base64.b64encode(world.random.randbytes(7_500_000)).decode()
    for parts in ([{"type": "text", "text": ATTACK}, {"type": "image_url", "image_url": {"url": image}}],
                  [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": ATTACK}]):
        raises(openai.BadRequestError, lambda parts=parts: chat(world, parts))
        world.refused_once()
        world.sent().clear()


@case("openai", "an attack in a tool result or an old message is withheld and the rest goes up", needs_gateway=True)
def withheld(world):
    old = [{"role": "user", "content": ATTACK}, {"role": "user", "content": HELLO}]
    for messages in (tool_history("{}", ATTACK), old):
        chat(world, messages=messages, tools=[WEATHER])
        arrived = world.last().json["messages"]
        assert ATTACK[:30] not in json.dumps(arrived), arrived
        changed = [(sent, got) for sent, got in zip(messages, arrived, strict=True) if sent != got]
        assert [sent | {"content": got["content"]} for sent, got in changed] == [got for _, got in changed]
        assert len(changed) == 1 and changed[0][1]["content"].startswith("[promptgate: "), changed


@case("openai", "a bad token raises AuthenticationError after one attempt", needs_gateway=True)
def bad_token(world):
    sdk = client(world, api_key="spv-not-a-token")
    error = raises(openai.AuthenticationError, lambda: sdk.chat.completions.create(model="m", messages=[]))
    assert error.code == "invalid_api_key", error.body
    assert "www-authenticate" in error.response.headers
    assert "spv-not-a-token" not in str(error)
    world.refused_once()


@case("openai", "a missing scope raises PermissionDeniedError naming it", needs_gateway=True)
def missing_scope(world):
    sdk = client(world, api_key=world.settings.narrow_token)
    error = raises(openai.PermissionDeniedError, lambda: sdk.chat.completions.create(model="m", messages=[]))
    assert "prompt:validate" in str(error), str(error)
    world.refused_once()


@case("openai", "upstream errors come through as they are, typed")
def upstream_errors(world):
    for status, kind in [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)]:
        sdk = client(world, max_retries=0)
        messages = [{"role": "user", "content": HELLO}]
        call = lambda: sdk.chat.completions.create(model=f"gpt-error{status}", messages=messages)
        error = raises(kind, call)
        assert (error.status_code, error.code) == (status, "upstream_code"), error.body
        assert bytes(world.sent()[-1].answer) == answers.error_body("/v1/chat/completions", status)


@case("openai", "a server error is retried by the SDK as ever")
def retries_still_work(world):
    raises(openai.InternalServerError, lambda: chat(world, model="gpt-error503"))
    assert len(world.sent()) == 3, len(world.sent())


@case("openai", "a stream cut off upstream raises instead of ending")
def cut_stream(world):
    kinds = (openai.APIError, *TRANSPORT_ERRORS)
    error = raises(kinds, lambda: list(chat(world, model="gpt-cut", stream=True)))
    assert not isinstance(error, openai.APIStatusError), repr(error)


@case("openai", "a caller that leaves takes the upstream request with it, within a second")
def caller_leaves(world):
    stream = chat(world, model="gpt-slow", stream=True)
    next(iter(stream))
    left = time.time()
    stream.close()
    world.upstream_was_left(left)


@case("openai", "the provider's key goes up, the caller's token does not, the SDK's headers do", needs_gateway=True)
def headers(world):
    client(world, organization="org-1", project="proj_1").chat.completions.create(
        model="m", messages=[{"role": "user", "content": HELLO}], extra_headers={"Idempotency-Key": "once", "Cookie": "c=1"})
    last = world.last()
    assert last.header("authorization") == f"Bearer {world.settings.keys['OPENAI_API_KEY']}", "not the provider's key"
    for name, value in [("openai-organization", "org-1"), ("openai-project", "proj_1"), ("idempotency-key", "once")]:
        assert last.header(name) == value, name
    assert last.header("x-stainless-lang") == "python" and last.header("user-agent").startswith("OpenAI/")
    assert last.header("cookie") is None, "a cookie went up"
    answer = dict(world.sent()[-1].headers)
    assert answer["openai-processing-ms"] == "7" and answer["x-ratelimit-remaining-requests"] == "41"
    assert "set-cookie" not in answer, "a provider's cookie came down"


@case("openai", "an upstream that repeats its key does not betray it", needs_gateway=True)
def leaky_upstream(world):
    chat(world, model="gpt-leak")
    raises(openai.AuthenticationError, lambda: chat(world, model="gpt-leak-error401"))


@case("openai", "responses: whole, streamed, tools")
def responses(world):
    sdk = client(world)
    answer = sdk.responses.create(model="gpt-test", input=HELLO, instructions="Be brief.", metadata={"team": "blue"})
    assert answer.output_text == answers.TEXT
    world.unchanged()
    stream = list(sdk.responses.create(model="gpt-test", input=[{"role": "user", "content": HELLO}], stream=True))
    assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == answers.TEXT
    assert [event.sequence_number for event in stream] == list(range(len(stream)))
    assert stream[-1].response.output_text == answers.TEXT
    world.unchanged()
    stream = list(sdk.responses.create(model="gpt-tool", input=HELLO, stream=True))
    deltas = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
    assert "".join(deltas) == answers.ARGUMENTS and len(deltas) > 5


@case("openai", "responses: secrets are masked in input, instructions, arguments and outputs")
def responses_mask(world):
    text, part, system, argument, output = (world.secret.github() for _ in range(5))
    client(world).responses.create(model="gpt-test", instructions=f"Key {system} here.", input=[
        {"role": "user", "content": f"My {text} here."},
        {"role": "user", "content": [{"type": "input_text", "text": f"My {part} here."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"key": f"a {argument} b"})},
        {"type": "function_call_output", "call_id": "c", "output": f"out {output} end"},
    ])
    body = world.last().json
    world.masked(body["instructions"], system, "Key ", " here.")
    world.masked(body["input"][0]["content"], text, "My ", " here.")
    world.masked(body["input"][1]["content"][0]["text"], part, "My ", " here.")
    world.masked(json.loads(body["input"][2]["arguments"])["key"], argument, "a ", " b")
    world.masked(body["input"][3]["output"], output, "out ", " end")


@case("openai", "responses: a blocked prompt raises BadRequestError after one attempt", needs_gateway=True)
def responses_blocked(world):
    raises(openai.BadRequestError, lambda: client(world).responses.create(model="m", input=ATTACK))
    world.refused_once()


@case("openai", "completions, embeddings, moderations and models pass")
def other_endpoints(world):
    sdk = client(world)
    assert sdk.completions.create(model="gpt-test", prompt=HELLO).choices[0].text == answers.TEXT
    world.unchanged()
    pieces = [chunk.choices[0].text for chunk in sdk.completions.create(model="gpt-test", prompt=HELLO, stream=True)]
    assert "".join(pieces) == answers.TEXT and len(pieces) > 5
    assert sdk.embeddings.create(model="gpt-test", input=[HELLO, "two"]).data[1].embedding == [0.5, -0.25, 1.0]
    world.unchanged()
    assert sdk.moderations.create(model="gpt-test", input=HELLO).results[0].flagged is False
    world.unchanged()
    assert [model.id for model in sdk.models.list()] == [answers.MODEL]


@case("openai", "completions and embeddings are masked too")
def other_endpoints_mask(world):
    prompt, embedded = world.secret.github(), world.secret.email()
    client(world).completions.create(model="gpt-test", prompt=f"Say {prompt} twice.")
    world.masked(world.last().json["prompt"], prompt, "Say ", " twice.")
    client(world).embeddings.create(model="gpt-test", input=["one", f"mail {embedded} now"])
    world.masked(world.last().json["input"][1], embedded, "mail ", " now")


@case("azure", "chat, stream and embeddings by deployment")
def azure_chat(world):
    messages = [{"role": "user", "content": HELLO}]
    assert azure(world).chat.completions.create(model="dep-1", messages=messages).choices[0].message.content == answers.TEXT
    world.unchanged()
    assert "api-version=2024-10-21" in world.last().query and "/deployments/dep-1/" in world.last().path
    text, count = streamed_text(azure(world).chat.completions.create(model="dep-1", messages=messages, stream=True))
    assert text == answers.TEXT and count > 10
    assert azure(world).embeddings.create(model="dep-1", input=HELLO).data[0].embedding == [0.5, -0.25, 1.0]


@case("azure", "the key goes up in api-key only, whichever headers the SDK used", needs_gateway=True)
def azure_headers(world):
    messages = [{"role": "user", "content": HELLO}]
    both = {"Authorization": f"Bearer {world.token}", "api-key": world.token}
    for extra in ({}, both):
        azure(world).chat.completions.create(model="dep-1", messages=messages, extra_headers=extra)
        last = world.last()
        assert last.header("api-key") == world.settings.keys["AZURE_OPENAI_API_KEY"] and last.header("authorization") is None


@case("azure", "secrets are masked, a blocked prompt raises BadRequestError after one attempt", needs_gateway=True)
def azure_policy(world):
    secret = world.secret.github()
    azure(world).chat.completions.create(model="dep-1", messages=[{"role": "user", "content": f"My {secret} here."}])
    world.masked(world.last().json["messages"][0]["content"], secret, "My ", " here.")
    world.sent().clear()
    arrived = world.complete()
    blocked_messages = [{"role": "user", "content": ATTACK}]
    error = raises(openai.BadRequestError,
                   lambda: azure(world).chat.completions.create(model="dep-1", messages=blocked_messages))
    assert error.code == "content_filter"
    assert len(world.sent()) == 1 and world.complete() == arrived
