"""The `google-genai` package. It escapes everything that is not ASCII by itself, and its generations use different paths."""

import asyncio
import json
import time

from google import genai
from google.genai import errors, types

import answers
from harness import ATTACK, HELLO, TRANSPORT_ERRORS, case, raises

WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather", description="The weather in a city",
    parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}),
)])


def client(world, key=None, **version):
    options = types.HttpOptions(base_url=world.base, timeout=30_000, **version)
    return genai.Client(api_key=key or world.token, http_options=options)


def generate(world, contents=HELLO, model="gemini-test", **config):
    with client(world) as sdk:
        return sdk.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def stream(world, contents=HELLO, model="gemini-test", **config):
    with client(world) as sdk:
        settings = types.GenerateContentConfig(**config)
        yield from sdk.models.generate_content_stream(model=model, contents=contents, config=settings)


@case("gemini", "generate: an answer comes back, the body goes up byte for byte")
def whole(world):
    answer = generate(world, system_instruction="Sei kurz – bitte.", temperature=1.0, tools=[WEATHER])
    assert answer.text == answers.TEXT and answer.usage_metadata.total_token_count == 33
    assert b"\\u00fc" in world.last().body, "the SDK no longer escapes: this case lost its point"
    world.unchanged()


@case("gemini", "generate: a stream comes in many events and adds up")
def streamed(world):
    chunks = list(stream(world))
    assert "".join(chunk.text or "" for chunk in chunks) == answers.TEXT and len(chunks) > 10
    world.unchanged()


@case("gemini", "generate: function calls in the answer, whole and streamed")
def tools(world):
    expected = json.loads(answers.ARGUMENTS)
    config = {"tools": [WEATHER]}
    assert generate(world, model="gemini-tool", **config).function_calls[0].args == expected
    calls = [call for chunk in stream(world, model="gemini-tool", **config) for call in chunk.function_calls or []]
    assert [call.args for call in calls] == [expected]


def history(arguments, result):
    return [
        types.Content(role="user", parts=[types.Part(text=HELLO)]),
        types.Content(role="model", parts=[types.Part(function_call=types.FunctionCall(name="weather", args=arguments))]),
        types.Content(role="user", parts=[types.Part(function_response=types.FunctionResponse(name="weather", response=result))]),
    ]


@case("gemini", "generate: function calls and thought signatures in the history go up byte for byte")
def tool_history(world):
    contents = history({"city": "Köln", "days": 2.5}, {"sky": "bewölkt", "degrees": 21.5})
    contents[1].parts[0].thought_signature = world.random.randbytes(300)
    generate(world, contents, tools=[WEATHER])
    world.unchanged()


@case("gemini", "generate: secrets are masked in parts, system text, function calls and responses")
def masks(world):
    system, text, argument, result = (world.secret.github() for _ in range(4))
    contents = history({"note": f"with {argument} für"}, {"log": f"gave\n{result}\nzurück"})
    contents.append(types.Content(role="user", parts=[types.Part(text=f"Mein {text} für dich 😀.")]))
    generate(world, contents, system_instruction=f"Key {system} hier – ja.")
    body = world.last().json
    world.masked(body["systemInstruction"]["parts"][0]["text"], system, "Key ", " hier – ja.")
    world.masked(body["contents"][1]["parts"][0]["functionCall"]["args"]["note"], argument, "with ", " für")
    world.masked(body["contents"][2]["parts"][0]["functionResponse"]["response"]["log"], result, "gave\n", "\nzurück")
    world.masked(body["contents"][3]["parts"][0]["text"], text, "Mein ", " für dich 😀.")
    world.nowhere(system, text, argument, result)


@case("gemini", "generate: a 10 MB image arrives untouched")
def image(world):
    part = types.Part.from_bytes(data=world.random.randbytes(7_500_000), mime_type="image/png")
    generate(world, [part, HELLO])
    world.unchanged()


@case("gemini", "generate: 50 at once, each with its own secret and its own answer")
def many(world):
    secrets = [world.secret.github() for _ in range(50)]

    async def all_of_them():
        sdk = client(world).aio
        calls = (sdk.models.generate_content(model="gemini-test", contents=f"Request {number} holds {secret} here.")
                 for number, secret in enumerate(secrets))
        return [answer.text for answer in await asyncio.gather(*calls)]

    assert asyncio.run(all_of_them()) == [answers.TEXT] * 50
    arrived = {received.json["contents"][0]["parts"][0]["text"].split()[1] for received in world.received()}
    assert len(arrived) == 50
    world.nowhere(*secrets)


@case("gemini", "a blocked prompt raises ClientError after one attempt", needs_gateway=True)
def blocked(world):
    part = types.Part.from_bytes(data=world.random.randbytes(7_500_000), mime_type="image/png")
    for contents in (ATTACK, [part, ATTACK]):
        for call in (lambda: generate(world, contents), lambda: list(stream(world, contents))):
            error = raises(errors.ClientError, call)
            assert (error.code, error.status) == (400, "INVALID_ARGUMENT"), error
            assert ATTACK[:30] not in str(error)
            world.refused_once()
            world.sent().clear()


@case("gemini", "a bad token and a missing scope raise ClientError 401 and 403", needs_gateway=True)
def credentials(world):
    for key, code, status in [("spv-not-a-token", 401, "UNAUTHENTICATED"),
                              (world.settings.narrow_token, 403, "PERMISSION_DENIED")]:
        sdk = client(world, key)
        error = raises(errors.ClientError, lambda: sdk.models.generate_content(model="m", contents=HELLO))
        assert (error.code, error.status) == (code, status), error
        world.refused_once()
        world.sent().clear()


@case("gemini", "the provider's key goes up in x-goog-api-key, the SDK's headers too", needs_gateway=True)
def headers(world):
    generate(world)
    last = world.last()
    assert last.header("x-goog-api-key") == world.settings.keys["GEMINI_API_KEY"], last.headers
    assert last.header("authorization") is None and last.header("x-goog-api-client")


@case("gemini", "upstream errors come through as they are, typed")
def upstream_errors(world):
    for status, kind in [(400, errors.ClientError), (429, errors.ClientError), (500, errors.ServerError)]:
        error = raises(kind, lambda: generate(world, model=f"gemini-error{status}"))
        assert (error.code, error.status) == (status, "UPSTREAM_STATUS"), error
        assert bytes(world.sent()[-1].answer) == answers.error_body("/v1/models/m:generateContent", status)


@case("gemini", "a stream cut off upstream raises instead of ending")
def cut_stream(world):
    raises((*TRANSPORT_ERRORS, errors.APIError), lambda: list(stream(world, model="gemini-cut")))


@case("gemini", "a caller that leaves takes the upstream request with it, within a second")
def caller_leaves(world):
    sdk = client(world)
    chunks = sdk.models.generate_content_stream(model="gemini-slow", contents=HELLO)
    next(chunks)
    left = time.time()
    chunks.close()
    sdk.close()
    world.upstream_was_left(left)


@case("gemini", "count_tokens, embed_content and models pass and are masked")
def other_endpoints(world):
    sdk, secret = client(world), world.secret.github()
    assert sdk.models.count_tokens(model="gemini-test", contents=HELLO).total_tokens == 11
    world.unchanged()
    sdk.models.count_tokens(model="gemini-test", contents=f"Mein {secret} für dich.")
    world.masked(world.last().json["contents"][0]["parts"][0]["text"], secret, "Mein ", " für dich.")
    assert sdk.models.embed_content(model="gemini-test", contents=HELLO).embeddings[0].values == [0.5, -0.25, 1.0]
    world.unchanged()
    assert [model.name for model in sdk.models.list()] == [f"models/{answers.MODEL}"]
