"""The `cohere` and `mistralai` packages, newest generation only: the old ones share its wire."""

import cohere
import mistralai.client

import answers
from harness import ATTACK, HELLO, case, raises


def cohere_client(world, token=None):
    return cohere.ClientV2(api_key=token or world.token, base_url=world.base, timeout=30)


def mistral_client(world, token=None):
    base = f"{world.base}/mistral" if world.settings.through_gateway else world.base
    return mistralai.client.Mistral(api_key=token or world.token, server_url=base, timeout_ms=30_000)


def messages(text):
    return [{"role": "user", "content": text}]


@case("cohere", "chat: whole and streamed, the body byte for byte")
def cohere_chat(world):
    assert cohere_client(world).chat(model="command-test", messages=messages(HELLO)).message.content[0].text == answers.TEXT
    world.unchanged()
    events = list(cohere_client(world).chat_stream(model="command-test", messages=messages(HELLO)))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert text == answers.TEXT and len(events) > 10
    world.unchanged()


@case("cohere", "secrets are masked, an attack and a bad token raise typed errors after one attempt", needs_gateway=True)
def cohere_policy(world):
    secret = world.secret.github()
    cohere_client(world).chat(model="command-test", messages=messages(f"My {secret} here."))
    world.masked(world.last().json["messages"][0]["content"], secret, "My ", " here.")
    for token, text, kind in [(world.token, ATTACK, cohere.BadRequestError), ("nonsense", HELLO, cohere.UnauthorizedError),
                              (world.settings.narrow_token, HELLO, cohere.ForbiddenError)]:
        world.sent().clear()
        raises(kind, lambda: cohere_client(world, token).chat(model="command-test", messages=messages(text)))
        assert len(world.sent()) == 1 and world.complete() == 1


@case("mistral", "chat: whole and streamed, the body byte for byte")
def mistral_chat(world):
    answer = mistral_client(world).chat.complete(model="mistral-test", messages=messages(HELLO))
    assert answer.choices[0].message.content == answers.TEXT
    world.unchanged()
    events = list(mistral_client(world).chat.stream(model="mistral-test", messages=messages(HELLO)))
    assert "".join(event.data.choices[0].delta.content or "" for event in events) == answers.TEXT and len(events) > 10
    world.unchanged()


@case("mistral", "secrets are masked although the SDK escapes, refusals raise its error with the status", needs_gateway=True)
def mistral_policy(world):
    secret = world.secret.github()
    mistral_client(world).chat.complete(model="mistral-test", messages=messages(f"Mein {secret} für dich."))
    world.masked(world.last().json["messages"][0]["content"], secret, "Mein ", " für dich.")
    for token, text, status in [(world.token, ATTACK, 400), ("nonsense", HELLO, 401), (world.settings.narrow_token, HELLO, 403)]:
        world.sent().clear()
        kind = mistralai.client.errors.MistralError
        error = raises(kind, lambda: mistral_client(world, token).chat.complete(model="mistral-test", messages=messages(text)))
        assert error.status_code == status and len(world.sent()) == 1 and world.complete() == 1, error
