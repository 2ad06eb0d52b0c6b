"""The `ollama` package: chat, generate, embed. NDJSON streams, and errors that are plain strings."""

import asyncio
import base64
import json
import time

import ollama

import answers
from harness import ATTACK, HELLO, TRANSPORT_ERRORS, case, raises

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}}


def client(world, token=None, kind=ollama.Client):
    return kind(host=world.base, headers={"Authorization": f"Bearer {token or world.token}"}, timeout=30)


def chat(world, content=HELLO, model="llama-test", messages=None, **options):
    return client(world).chat(model=model, messages=messages or [{"role": "user", "content": content}], **options)


@case("ollama", "chat: an answer comes back, the body goes up byte for byte")
def whole(world):
    answer = chat(world, options={"temperature": 1.0, "num_ctx": 4096}, tools=[WEATHER])
    assert answer.message.content == answers.TEXT and answer.eval_count == 22
    world.unchanged()


@case("ollama", "chat: a stream comes in many lines and adds up")
def stream(world):
    lines = list(chat(world, stream=True))
    assert "".join(line.message.content for line in lines) == answers.TEXT and len(lines) > 10 and lines[-1].done
    world.unchanged()


@case("ollama", "chat: tool calls in the answer and in the history")
def tools(world):
    expected = json.loads(answers.ARGUMENTS)
    assert chat(world, model="llama-tool", tools=[WEATHER]).message.tool_calls[0].function.arguments == expected
    lines = list(chat(world, model="llama-tool", tools=[WEATHER], stream=True))
    assert [call.function.arguments for line in lines for call in line.message.tool_calls or []] == [expected]
    chat(world, messages=history({"city": "Köln", "days": 2.5}, "Sonne"))
    world.unchanged()


def history(arguments, result):
    call = {"function": {"name": "weather", "arguments": arguments}}
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": HELLO},
            {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": result, "tool_name": "weather"}]


@case("ollama", "chat, generate and embed: secrets are masked")
def masks(world):
    system, argument, result, prompt, embedded = (world.secret.github() for _ in range(5))
    messages = history({"note": f"with {argument} inside"}, f"gave {result} back")
    messages[0]["content"] = f"Key {system} here."
    chat(world, messages=messages)
    arrived = world.last().json["messages"]
    world.masked(arrived[0]["content"], system, "Key ", " here.")
    world.masked(arrived[2]["tool_calls"][0]["function"]["arguments"]["note"], argument, "with ", " inside")
    world.masked(arrived[3]["content"], result, "gave ", " back")
    client(world).generate(model="llama-test", prompt=f"My {prompt} here.", system="Be brief.")
    world.masked(world.last().json["prompt"], prompt, "My ", " here.")
    client(world).embed(model="llama-test", input=["one", f"My {embedded} here."])
    world.masked(world.last().json["input"][1], embedded, "My ", " here.")
    world.nowhere(system, argument, result, prompt, embedded)


@case("ollama", "chat: a 10 MB image arrives untouched")
def image(world):
    data = base64.b64encode(world.random.randbytes(7_500_000)).decode()
    chat(world, messages=[{"role": "user", "content": HELLO, "images": [data]}])
    assert world.last().json["messages"][0]["images"] == [data]
    world.unchanged()


@case("ollama", "chat: 50 at once, each with its own secret and its own answer")
def many(world):
    secrets = [world.secret.github() for _ in range(50)]

    async def all_of_them():
        sdk = client(world, kind=ollama.AsyncClient)
        calls = (sdk.chat(model="llama-test", messages=[{"role": "user", "content": f"Request {number} holds {secret} here."}])
                 for number, secret in enumerate(secrets))
        return [answer.message.content for answer in await asyncio.gather(*calls)]

    assert asyncio.run(all_of_them()) == [answers.TEXT] * 50
    assert len({received.json["messages"][0]["content"].split()[1] for received in world.received()}) == 50
    world.nowhere(*secrets)


@case("ollama", "a blocked prompt raises ResponseError after one attempt", needs_gateway=True)
def blocked(world):
    data = base64.b64encode(world.random.randbytes(7_500_000)).decode()
    for message in ({"role": "user", "content": ATTACK}, {"role": "user", "images": [data], "content": ATTACK}):
        for call in (lambda: chat(world, messages=[message]), lambda: list(chat(world, messages=[message], stream=True))):
            error = raises(ollama.ResponseError, call)
            assert error.status_code == 400 and isinstance(error.error, str) and ATTACK[:30] not in error.error, error
            world.refused_once()
            world.sent().clear()


@case("ollama", "a bad token and a missing scope raise ResponseError 401 and 403", needs_gateway=True)
def credentials(world):
    for token, status in [("spv-not-a-token", 401), (world.settings.narrow_token, 403)]:
        sdk = client(world, token)
        error = raises(ollama.ResponseError, lambda: sdk.chat(model="m", messages=[{"role": "user", "content": HELLO}]))
        assert error.status_code == status and isinstance(error.error, str), error
        world.refused_once()
        world.sent().clear()


@case("ollama", "upstream errors come through as they are, typed")
def upstream_errors(world):
    for status in (400, 429, 500):
        error = raises(ollama.ResponseError, lambda: chat(world, model=f"llama-error{status}"))
        assert error.status_code == status and error.error.startswith(f"upstream says {status}")
        assert bytes(world.sent()[-1].answer) == answers.error_body("/api/chat", status)


@case("ollama", "a stream cut off upstream raises instead of ending")
def cut_stream(world):
    raises((*TRANSPORT_ERRORS, ollama.ResponseError), lambda: list(chat(world, model="llama-cut", stream=True)))


@case("ollama", "a caller that leaves takes the upstream request with it, within a second")
def caller_leaves(world):
    lines = chat(world, model="llama-slow", stream=True)
    next(lines)
    left = time.time()
    lines.close()
    world.upstream_was_left(left)


@case("ollama", "generate, embed and the list of models pass")
def other_endpoints(world):
    sdk = client(world)
    assert sdk.generate(model="llama-test", prompt=HELLO).response == answers.TEXT
    world.unchanged()
    assert "".join(line.response for line in sdk.generate(model="llama-test", prompt=HELLO, stream=True)) == answers.TEXT
    assert list(sdk.embed(model="llama-test", input=HELLO).embeddings[0]) == [0.5, -0.25, 1.0]
    world.unchanged()
    assert [model.model for model in sdk.list().models] == [answers.MODEL]
