"""Both directions, the same facts for every SDK: what the caller sent comes back as it was, however the model cuts its
placeholders; what the model made up does not; policy can end a stream; the next turn begins as the last one did.
"""

import json
import re

import anthropic
import openai

import echoes
from harness import MASKED, case, first_difference, raises
from sdks import CHAT, SDKS, of_choices, openai_client, user

SEEDS = 3


def values_of(world):
    """An address, a private key in lines, and a note with all that JSON has to escape."""
    note = f'say "hi"\\ to C:\\new\\table {world.random.randrange(10**6)}\n\ttab, \\"both\\" and ü'
    return [world.secret.email(), echoes.private_key(world.random), note]


def asking(values):
    """The note stands in the braces that its rule knows it by."""
    return echoes.asking(values[:2]) + f" And note{{{values[2]}}}."


def models(world, behaviour):
    """Names under which the upstream cuts its answer in different ways."""
    return [f"any-{behaviour}-seed{world.random.randrange(10**6)}" for _ in range(SEEDS)]


def named(sdk, model):
    return model.replace("any", "mistral" if sdk.name == "mistral" else "any")


def start(sdk, text):
    """A conversation of one message, in the form the SDK takes."""
    if sdk.messages != "contents":
        return [user(text)]
    from google.genai import types
    return [types.Content(role="user", parts=[types.Part(text=text)])]


def expect(sdk, heard, values, sealed, labels=None, calls=2):
    """Every text and every call of the answer says `values`; signed thinking still says what the upstream saw."""
    labels = sdk.labels if labels is None else labels
    wanted = {label: echoes.said(label, sealed if label == "thinking" else values) for label in labels}
    assert heard.spoken() == wanted, f"{heard.spoken()!r:.300} instead of {wanted!r:.300}"
    arguments = [json.loads(echoes.arguments(number, values)) for number in (0, 1)] * (calls // 2)
    assert heard.calls == arguments, f"{heard.calls!r:.300} instead of {arguments!r:.300}"


def arrived(world):
    """The values as the upstream got them."""
    return echoes.values_in(world.last().json)


def comes_back(sdk):
    def run(world):
        values = values_of(world)
        for model in models(world, "echo"):
            for streamed in (False, True):
                heard = sdk.ask(world, named(sdk, model), start(sdk, asking(values)), streamed)
                expect(sdk, heard, values, arrived(world))
        world.nowhere(*values)
        assert len(set(arrived(world))) == len(values)
    return run


def comes_back_compressed(sdk):
    def run(world):
        values = values_of(world)
        for coding in ("gzip", "br", "zstd"):
            for streamed in (False, True):
                heard = sdk.ask(world, named(sdk, models(world, "echo")[0]) + f"-{coding}", start(sdk, asking(values)), streamed)
                expect(sdk, heard, values, arrived(world))
                if world.settings.through_gateway:
                    assert world.last().header("accept-encoding") == "identity"
                    assert "content-encoding" not in dict(world.sent()[-1].headers), "the caller was told of a coding"
    return run


def made_up_is_masked(sdk):
    def run(world):
        for model in models(world, "made"):
            values = echoes.made_up(re.search(r"seed(\d+)", model)[1])
            for streamed in (False, True):
                heard = sdk.ask(world, named(sdk, model), start(sdk, "Please make something up."), streamed)
                texts = {label: text for label, text in heard.spoken().items() if label != "thinking"}
                assert set(texts) == set(sdk.labels) - {"thinking"}, texts
                for label, text in texts.items():
                    pattern = re.escape(echoes.said(label, ["HOLE"] * len(values))).replace("HOLE", MASKED)
                    assert re.fullmatch(pattern, text, re.S), f"{label}: {text!r}"
                assert len(heard.calls) == 2
                for call in heard.calls:
                    assert all(re.fullmatch(MASKED, value) for value in call["values"]), call
                everything = json.dumps([heard.calls, *texts.values()], ensure_ascii=False)
                lines = [line for value in values for line in value.split("\n") if not line.startswith("-----")]
                assert not any(line in everything for line in lines), "a made-up secret came through"
    return run


def blocks(sdk):
    def run(world):
        world.base = world.settings.blocking
        for model in models(world, "made"):
            values = echoes.made_up(re.search(r"seed(\d+)", model)[1])
            ask = lambda: sdk.ask(world, named(sdk, model), start(sdk, "Please make something up."), True)
            error = raises(sdk.refused, ask)
            answer = bytes(world.sent()[-1].answer)
            assert not any(mark in answer for mark in sdk.whole_ends), f"it looks complete: {answer[-300:]!r}"
            assert b"withheld" in answer[-600:], answer[-300:]
            assert not any(value in str(error) for value in values)
    return run


def next_turn_begins_as_the_last(sdk):
    """Turns go to two replicas with the same key in turn; the history is what the SDK got."""
    def run(world):
        for streamed in (False, True):
            conversation, earlier, secrets = [], b"", []
            for number in range(4):
                values = values_of(world)
                secrets += values
                conversation += marked(sdk, number, start(sdk, asking(values)))
                world.base = (world.settings.gateway, world.settings.blocking)[number % 2]
                heard = sdk.ask(world, named(sdk, "any-echo-turns-seed5"), conversation, streamed, **settings_of(sdk))
                body = prefix(world.last().body, sdk.messages)
                assert body.startswith(earlier), f"a prompt cache would miss: {first_difference(earlier, body)}"
                earlier = body
                conversation += [*(heard.turn if isinstance(heard.turn, list) else [heard.turn]), *results(sdk, values)]
            world.nowhere(*secrets)
            told = [earlier.count(f"{entity}_x".encode()) for entity in ("EMAIL_ADDRESS", "PRIVATE_KEY", "SDK_NOTE")]
            assert min(told) == told[1] == told[2] > 4 * 4, f"placeholders in the history: {told}"
    return run


def settings_of(sdk):
    """What else an agent sends every time."""
    if sdk.name == "anthropic":
        mark = {"type": "ephemeral"}
        schema = {"type": "object", "properties": {"values": {"type": "array"}}}
        return {"system": [{"type": "text", "text": "Write to ann.lee@corp.example if unsure.", "cache_control": mark}],
                "tools": [{"name": "note", "description": "Takes notes", "input_schema": schema, "cache_control": mark}]}
    return {}


def marked(sdk, number, messages):
    """Anthropic's callers mark where a prefix ends that is worth keeping; four marks are allowed."""
    if sdk.name == "anthropic":
        text = {"type": "text", "text": messages[0]["content"], **({"cache_control": {"type": "ephemeral"}} if number < 2 else {})}
        return [{"role": "user", "content": [text]}]
    return messages


def results(sdk, values):
    """What the two calls gave."""
    text = json.dumps({"noted": values}, ensure_ascii=False)
    if sdk.name == "anthropic":
        blocks = [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": text} for number in (0, 1)]
        return [{"role": "user", "content": blocks}]
    if sdk.name == "openai responses":
        return [{"type": "function_call_output", "call_id": f"call_{number}", "output": text} for number in (0, 1)]
    if sdk.name == "gemini":
        from google.genai import types
        response = types.FunctionResponse(name="note", response={"noted": values})
        return [types.Content(role="user", parts=[types.Part(function_response=response)] * 2)]
    name = {"tool_name": "note"} if sdk.name == "ollama" else {}
    return [{"role": "tool", "content": text, **(name or {"tool_call_id": f"call_{number}"})} for number in (0, 1)]


def prefix(body, key):
    """The body up to the end of the last message: what stands behind it follows the next message instead."""
    text = body.decode()
    at = re.search(rf'"{key}"\s*:\s*', text).end()
    _, end = json.JSONDecoder().raw_decode(text, at)
    return text[:end].removesuffix("]").rstrip().encode()


for row in SDKS:
    case(row.name, "the caller's values come back in texts and calls, however their placeholders are cut")(comes_back(row))
    case(row.name, "an upstream that compresses unasked: the values come back all the same",
         needs_gateway=True)(comes_back_compressed(row))
    case(row.name, "what the model made up is masked in texts and calls", needs_gateway=True)(made_up_is_masked(row))
    case(row.name, "policy ends a stream with the SDK's own exception and no mark of an end",
         needs_gateway=True)(blocks(row))
    case(row.name, "the next turn of a conversation with tools begins as the last one did, on two replicas",
         needs_gateway=True)(next_turn_begins_as_the_last(row))


@case("openai", "two choices are told apart")
def choices(world):
    values, sdk = values_of(world), SDKS[0]
    for model in models(world, "echo"):
        for streamed in (False, True):
            heard = sdk.ask(world, model, start(sdk, asking(values)), streamed, n=2)
            expect(sdk, heard, values, [], of_choices(CHAT, 2), calls=4)


@case("openai", "logprobs of a changed text are gone, those of an unchanged one stay", needs_gateway=True)
def logprobs(world):
    values = values_of(world)
    chat = openai_client(world).chat.completions
    told = [("echo", asking(values), True), ("made", "Make something up.", True), ("echo", "<<nothing secret>>", False)]
    for behaviour, text, changed in told:
        for model in models(world, behaviour):
            ask = lambda **more: chat.create(model=model, messages=[user(text)], logprobs=True, **more)
            whole = ask().choices[0]
            assert bool(whole.logprobs) != changed, whole.logprobs
            kept = 0
            for chunk in ask(stream=True):
                choice = chunk.choices[0] if chunk.choices else None
                if choice and choice.delta.content:
                    content = choice.logprobs.content if choice.logprobs else None
                    tokens = [token.token for token in content] if content else None
                    assert tokens in (None, [choice.delta.content]), f"{tokens} beside {choice.delta.content!r}"
                    assert changed or tokens, "the logprobs of an unchanged text are gone"
                    kept += tokens is not None
            assert kept > 10, "nothing of what was not changed kept its own"


@case("openai", "responses: logprobs of a changed text are gone, those of an unchanged one stay", needs_gateway=True)
def responses_logprobs(world):
    values = values_of(world)
    for text, changed in [(asking(values), True), ("<<nothing secret>>", False)]:
        model = models(world, "echo")[0]
        sdk = openai_client(world)
        part = next(item for item in sdk.responses.create(model=model, input=text).output if item.type == "message").content[0]
        assert bool(part.logprobs) != changed, part.logprobs
        for event in sdk.responses.create(model=model, input=text, stream=True):
            if event.type == "response.output_text.delta":
                tokens = [token.token for token in event.logprobs or []]
                assert tokens in ([], [event.delta]) and (changed or tokens), f"{tokens} beside {event.delta!r}"
            if event.type == "response.completed":
                part = next(item for item in event.response.output if item.type == "message").content[0]
                assert bool(part.logprobs) != changed, part.logprobs


@case("openai", "the error of a policy block has its code", needs_gateway=True)
def block_code(world):
    world.base = world.settings.blocking
    ask = lambda: list(openai_client(world).chat.completions.create(model="any-made-seed1", messages=[user("Go.")], stream=True))
    error = raises(openai.APIError, ask)
    assert error.code == "content_filter" and not isinstance(error, openai.APIStatusError), repr(error)


@case("anthropic", "the error of a policy block has its type", needs_gateway=True)
def block_type(world):
    world.base = world.settings.blocking
    client = anthropic.Anthropic(base_url=world.base, api_key=world.token)
    ask = lambda: list(client.messages.create(model="any-made-seed1", max_tokens=9, messages=[user("Go.")], stream=True))
    error = raises(anthropic.APIStatusError, ask)
    assert error.body["error"]["type"] == "invalid_request_error", error.body
