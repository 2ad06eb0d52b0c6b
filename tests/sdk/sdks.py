"""One way to speak with every SDK: ask, listen, go on. What a caller makes of an answer, without the gateway in mind.

A row asks for an answer, whole or streamed, and turns it into the texts and the calls that an application would work with:
deltas joined by the SDK's own places, arguments read as JSON.
"""

import json
from dataclasses import dataclass, field

import anthropic
import ollama
import openai
from google import genai
from google.genai import types

try:
    import cohere
    import mistralai.client
except ImportError:
    cohere = mistralai = None

from harness import TRANSPORT_ERRORS


@dataclass
class Heard:
    """Texts by what they are, arguments of calls in order, and what the SDK would send back as the assistant's turn."""

    texts: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)
    turn: object = None

    def add(self, label, piece):
        self.texts[label] = self.texts.get(label, "") + (piece or "")

    def spoken(self):
        """Labels of texts that hold something."""
        return {label: text for label, text in self.texts.items() if text}


@dataclass
class Sdk:
    name: str
    ask: callable  # (world, model, messages, streamed, **more) -> Heard
    refused: tuple  # what a block in mid-stream raises
    labels: list  # the texts an answer of the script has
    messages: str = "messages"  # the key of the conversation in a request's body
    whole_ends: tuple = ()  # what marks a complete answer on the wire


def user(text):
    return {"role": "user", "content": text}


# ── OpenAI ──

def openai_client(world, **more):
    return openai.OpenAI(base_url=f"{world.base}/v1", api_key=world.token, timeout=30, max_retries=0, **more)


def ask_chat(world, model, messages, streamed, client=openai_client, **more):
    answer = client(world).chat.completions.create(model=model, messages=messages, stream=streamed, **more)
    return chat_chunks(answer) if streamed else chat_document(answer)


def chat_document(answer):
    heard = Heard()
    for choice in answer.choices:
        said = choice.message
        for label, text in [("content", said.content), ("reasoning", getattr(said, "reasoning_content", None)),
                            ("refusal", getattr(said, "refusal", None))]:
            heard.add(f"{label} {choice.index}", text)
        heard.calls += [json.loads(call.function.arguments) for call in said.tool_calls or []]
    said = answer.choices[0].message
    heard.turn = {"role": "assistant", "content": said.content,
                  "tool_calls": [call.model_dump(exclude_none=True) for call in said.tool_calls or []]}
    return heard


def chat_chunks(chunks):
    heard, calls = Heard(), {}
    for chunk in chunks:
        for choice in chunk.choices:
            delta = choice.delta
            for label, text in [("content", delta.content), ("reasoning", getattr(delta, "reasoning_content", None)),
                                ("refusal", getattr(delta, "refusal", None))]:
                heard.add(f"{label} {choice.index}", text if isinstance(text, str) else "")
            for call in delta.tool_calls or []:
                place = choice.index, call.index
                calls[place] = calls.get(place, "") + call.function.arguments
    heard.calls = [json.loads(calls[place]) for place in sorted(calls)]
    named = [{"id": f"call_{number}", "type": "function", "function": {"name": "note", "arguments": calls[place]}}
             for number, place in enumerate(sorted(calls)) if place[0] == 0]
    heard.turn = {"role": "assistant", "content": heard.texts.get("content 0"), "tool_calls": named}
    return heard


def azure_client(world):
    return openai.AzureOpenAI(azure_endpoint=world.base, api_key=world.token, api_version="2024-10-21", timeout=30, max_retries=0)


def ask_azure(world, model, messages, streamed, **more):
    return ask_chat(world, model, messages, streamed, client=azure_client, **more)


def ask_responses(world, model, messages, streamed, **more):
    """Of a stream everything that is said more than once has to agree."""
    answer = openai_client(world).responses.create(model=model, input=messages, stream=streamed, **more)
    if not streamed:
        return response_object(answer)
    events = list(answer)
    assert [event.sequence_number for event in events] == list(range(len(events))), "sequence numbers changed"
    pieces, done = {}, {}
    for event in events:
        kind, _, ending = event.type.rpartition(".")
        place = kind, getattr(event, "item_id", None)
        if ending == "delta":
            pieces[place] = pieces.get(place, "") + event.delta
        elif ending == "done" and place in pieces:
            values = (getattr(event, name, None) for name in ("text", "refusal", "arguments"))
            done[place] = next(value for value in values if value is not None)
    assert events[-1].type == "response.completed", events[-1].type
    assert pieces == done, "deltas and what is done differ"
    heard = response_object(events[-1].response)
    items = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}
    assert response_items([items[index] for index in sorted(items)]) == (heard.texts, heard.calls), "items and the whole differ"
    parts = [event.part for event in events if event.type.endswith("part.done")]
    joined = sorted(text for (kind, _), text in pieces.items() if "arguments" not in kind)
    assert sorted(getattr(part, "text", None) or part.refusal for part in parts) == joined, "parts and deltas differ"
    assert joined == sorted(heard.texts.values()), "deltas and the whole differ"
    assert sorted(text for (kind, _), text in pieces.items() if "arguments" in kind) == sorted(
        item.arguments for item in events[-1].response.output if item.type == "function_call")
    return heard


def response_object(answer):
    texts, calls = response_items(answer.output)
    kept = [item.model_dump(exclude_none=True) for item in answer.output if item.type in ("message", "function_call")]
    return Heard(texts, calls, kept)


def response_items(items):
    texts, calls = {}, []
    for item in items:
        if item.type == "reasoning":
            texts["reasoning"] = "".join(part.text for part in item.summary)
        elif item.type == "message":
            texts["content"] = "".join(part.text for part in item.content if part.type == "output_text")
            texts["refusal"] = "".join(part.refusal for part in item.content if part.type == "refusal")
        else:
            calls.append(json.loads(item.arguments))
    return texts, calls


# ── Anthropic ──

def ask_anthropic(world, model, messages, streamed, **more):
    client = anthropic.Anthropic(base_url=world.base, api_key=world.token, timeout=30, max_retries=0)
    settings = {"model": model, "max_tokens": 100, "messages": messages, **more}
    if streamed:
        with client.messages.stream(**settings) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**settings)
    heard = Heard()
    for block in answer.content:
        if block.type == "tool_use":
            heard.calls.append(block.input)
        else:
            heard.add({"text": "content"}.get(block.type, block.type), block.text if block.type == "text" else block.thinking)
    heard.turn = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]}
    return heard


# ── Gemini, Ollama ──

def ask_gemini(world, model, messages, streamed, **more):
    options = types.HttpOptions(base_url=world.base, timeout=30_000)
    with genai.Client(api_key=world.token, http_options=options) as client:
        verb = client.models.generate_content_stream if streamed else client.models.generate_content
        answer = verb(model=model, contents=messages, config=types.GenerateContentConfig(**more))
        chunks = list(answer) if streamed else [answer]
    heard, kept = Heard(), []
    for part in (part for chunk in chunks for part in chunk.candidates[0].content.parts or []):
        if part.function_call:
            heard.calls.append(part.function_call.args)
            kept.append(part)
        else:
            heard.add("reasoning" if part.thought else "content", part.text)
    heard.turn = types.Content(role="model", parts=[types.Part(text=heard.texts["content"]), *kept])
    return heard


def ask_ollama(world, model, messages, streamed, **more):
    client = ollama.Client(host=world.base, headers={"Authorization": f"Bearer {world.token}"}, timeout=30)
    answer = client.chat(model=model, messages=messages, stream=streamed, **more)
    heard, calls = Heard(), []
    for line in answer if streamed else [answer]:
        heard.add("content", line.message.content)
        heard.add("reasoning", getattr(line.message, "thinking", None))
        calls += line.message.tool_calls or []
    heard.calls = [dict(call.function.arguments) for call in calls]
    heard.turn = {"role": "assistant", "content": heard.texts["content"], "tool_calls": [call.model_dump() for call in calls]}
    return heard


# ── Cohere, Mistral ──

def ask_cohere(world, model, messages, streamed, **more):
    client = cohere.ClientV2(api_key=world.token, base_url=world.base, timeout=30)
    heard, calls = Heard(), {}
    if streamed:
        for event in client.chat_stream(model=model, messages=messages, **more):
            if event.type == "content-delta":
                heard.add("content", event.delta.message.content.text)
            elif event.type == "tool-plan-delta":
                heard.add("plan", event.delta.message.tool_plan)
            elif event.type == "tool-call-delta":
                calls[event.index] = calls.get(event.index, "") + event.delta.message.tool_calls.function.arguments
            elif event.type == "message-end" and event.delta.error:
                raise ConnectionAbortedError(event.delta.error)
    else:
        said = client.chat(model=model, messages=messages, **more).message
        heard.texts = {"content": said.content[0].text, "plan": said.tool_plan}
        calls = {number: call.function.arguments for number, call in enumerate(said.tool_calls)}
    heard.calls = [json.loads(calls[index]) for index in sorted(calls)]
    named = [{"id": f"call_{index}", "type": "function", "function": {"name": "note", "arguments": calls[index]}}
             for index in sorted(calls)]
    heard.turn = {"role": "assistant", "tool_plan": heard.texts.get("plan"), "tool_calls": named}
    return heard


def ask_mistral(world, model, messages, streamed, **more):
    base = f"{world.base}/mistral" if world.settings.through_gateway else world.base
    client = mistralai.client.Mistral(api_key=world.token, server_url=base, timeout_ms=30_000)
    if streamed:
        return chat_chunks(event.data for event in client.chat.stream(model=model, messages=messages, **more))
    return chat_document(client.chat.complete(model=model, messages=messages, **more))


def of_choices(labels, count):
    return [f"{label} {index}" for label in labels for index in range(count)]


# Cohere has no error event and its SDK no exception for one: the last event says that the answer failed.
CHAT = ["content", "reasoning", "refusal"]
SDKS = [
    Sdk("openai", ask_chat, (openai.APIError,), of_choices(CHAT, 1), whole_ends=(b"[DONE]", b'"finish_reason":"')),
    Sdk("openai responses", ask_responses, (openai.APIError,), ["content", "reasoning", "refusal"], messages="input",
        whole_ends=(b"response.completed",)),
    Sdk("azure", ask_azure, (openai.APIError,), of_choices(CHAT, 1), whole_ends=(b"[DONE]", b'"finish_reason":"')),
    Sdk("anthropic", ask_anthropic, (anthropic.APIStatusError,), ["content", "thinking"],
        whole_ends=(b"message_stop", b"message_delta")),
    Sdk("gemini", ask_gemini, (genai.errors.ClientError, genai.errors.ServerError), ["content", "reasoning"], messages="contents",
        whole_ends=(b"finishReason",)),
    Sdk("ollama", ask_ollama, (ollama.ResponseError,), ["content", "reasoning"], whole_ends=(b'"done":true',)),
]
if cohere:
    SDKS += [
        Sdk("cohere", ask_cohere, (ConnectionAbortedError,), ["content", "plan"], whole_ends=(b"TOOL_CALL", b"COMPLETE")),
        Sdk("mistral", ask_mistral, (mistralai.client.errors.MistralError,), ["content 0"], whole_ends=(b"[DONE]",)),
    ]
