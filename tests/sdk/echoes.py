"""Answers made of what the request held: a model that repeats the values it was told, cut at random places. Pure.

A caller marks values as <<value>> or note{value} in its message. The upstream says them back, as it received them, in every
text and every tool call that the dialect's answers have; with `-made` in the model name it says values of its own instead. A
case makes the same sentences of the values it sent, so that both can be compared.
"""

import binascii
import json
import random
import re
import string


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def values_in(request):
    """Each once, in the order they came."""
    found = (match for text in strings(request) for match in re.finditer(r"<<(.*?)>>|note\{(.*?)\}", text, re.S))
    return list(dict.fromkeys(match[1] or match[2] for match in found))


def asking(values):
    """What a caller says so that the model repeats these."""
    return "Please repeat " + " and ".join(f"<<{value}>>" for value in values) + " for me."


def said(label, values):
    """A text of the answer. `label` tells the texts of one answer apart."""
    return f'On {label}: ' + "".join(f'it says "{value}",\n' for value in values) + "and that is all – 日本 😀."


def arguments(number, values):
    """What the tool is called with, the `number`th time, in the layout a model may choose."""
    quoted = "".join(f'the "{value}"\\\n' for value in values)
    said = {"number": number, "values": values, "nested": {"note": quoted, "ü": [1.5, None]}}
    return json.dumps(said, ensure_ascii=number % 2 == 0, indent=None if number % 2 else 1)


def made_up(seed):
    """Secrets and an address that nobody sent: an e-mail address, a GitHub token, an AWS key, a private key."""
    source = random.Random(f"made up {seed}")
    letters = string.ascii_letters + string.digits
    name, host = ("".join(source.choices(string.ascii_lowercase, k=count)) for count in (12, 9))
    aws = "AKIA" + "".join(source.choices(string.ascii_uppercase + "234567", k=16))
    return [f"{name}@{host}.org", github(source), aws, private_key(source, letters)]


def github(source):
    """`ghp_`, 30 characters and their CRC-32 in six base-62 digits."""
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    body, check = "".join(source.choices(digits, k=30)), ""
    rest = binascii.crc32(body.encode())
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = digits[digit] + check
    return f"ghp_{body}{check}"


def private_key(source, letters=string.ascii_letters + string.digits + "+/"):
    lines = ["MIIEowIBAAKCAQEA" + "".join(source.choices(letters, k=48)), "".join(source.choices(letters, k=64)),
             "".join(source.choices(letters, k=22)) + "=="]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])


class Script:
    """What one answer says and how it is cut, by the seed in the model's name."""

    def __init__(self, request, model):
        self.seed = int((re.search(r"-seed(\d+)", model) or [0, 0])[1])
        self.source = random.Random(self.seed)
        self.values = made_up(self.seed) if "-made" in model else values_in(request)

    def said(self, label):
        return said(label, self.values)

    def arguments(self, number):
        return arguments(number, self.values)

    def pieces(self, text):
        """In pieces of one to six characters, a few of them empty."""
        at = 0
        while at < len(text):
            size = self.source.choice([0, 1, 1, 2, 3, 4, 6])
            yield text[at:at + size]
            at += size

    def interleaved(self, *streams):
        """The events of all streams, each in its own order."""
        waiting = [list(stream) for stream in streams]
        while waiting := [stream for stream in waiting if stream]:
            yield self.source.choice(waiting).pop(0)


def logprobs(text):
    """One token a text, as both OpenAI APIs report them."""
    return [{"token": text, "logprob": -0.25, "bytes": list(text.encode()), "top_logprobs": []}]


# ── OpenAI, Azure, Mistral ──

LABELS = {"openai": ["content", "reasoning", "refusal"], "mistral": ["content"]}


def chat(request, model, base, usage):
    """The document, or the chunks: every choice with its texts and two parallel calls."""
    script, kind = Script(request, model), "mistral" if "mistral" in model else "openai"
    fields = {"content": "content", "reasoning": "reasoning_content", "refusal": "refusal"}
    choices = range(request.get("n") or 1)
    if not request.get("stream"):
        return {**base, "object": "chat.completion", "usage": usage, "choices": [
            {"index": index, "finish_reason": "tool_calls", "logprobs": probabilities(request, script.said(f"content {index}")),
             "message": {"role": "assistant", **{fields[label]: script.said(f"{label} {index}") for label in LABELS[kind]},
                         "tool_calls": [chat_call(number, script.arguments(number)) for number in (0, 1)]}}
            for index in choices]}

    def chunk(index, delta, finish=None, probable=None):
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return {**base, "object": "chat.completion.chunk", "choices": [{**choice, **({"logprobs": probable} if probable else {})}]}

    def texts(index, label):
        for piece in script.pieces(script.said(f"{label} {index}")):
            yield chunk(index, {fields[label]: piece}, probable=probabilities(request, piece) if label == "content" else None)

    def call(index, number):
        yield chunk(index, {"tool_calls": [{"index": number, **chat_call(number, "")}]})
        for piece in script.pieces(script.arguments(number)):
            more = {"name": ""} if kind == "mistral" else {}
            yield chunk(index, {"tool_calls": [{"index": number, "function": {**more, "arguments": piece}}]})

    streams = [texts(index, label) for index in choices for label in LABELS[kind]]
    streams += [call(index, number) for index in choices for number in (0, 1)]
    return [*(chunk(index, {"role": "assistant", "content": ""}) for index in choices), *script.interleaved(*streams),
            *(chunk(index, {}, "tool_calls") for index in choices),
            {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}]


def chat_call(number, text):
    return {"id": f"call_{number}", "type": "function", "function": {"name": "note", "arguments": text}}


def probabilities(request, text):
    return {"content": logprobs(text), "refusal": None} if request.get("logprobs") else None


def responses(request, model, response):
    """The object, or the events: reasoning, a message with a text and a refusal, two calls; each said up to four times."""
    script = Script(request, model)
    texts = {label: script.said(label) for label in ("reasoning", "content", "refusal")}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": texts["reasoning"]}]}
    parts = [{"type": "output_text", "text": texts["content"], "annotations": [], "logprobs": logprobs(texts["content"])},
             {"type": "refusal", "refusal": texts["refusal"]}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts}
    calls = [{"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "note", "status": "completed",
              "arguments": script.arguments(number)} for number in (0, 1)]
    items = [reasoning, message, *calls]
    if not request.get("stream"):
        return response("completed", items)

    def spoken(prefix, place, field, text, start, end):
        if start:
            yield {"type": start[0], **place, "part": start[1]}
        for piece in script.pieces(text):
            extra = {"logprobs": logprobs(piece)} if field == "text" and "content_index" in place else {}
            yield {"type": f"response.{prefix}.delta", **place, "delta": piece, **extra}
        yield {"type": f"response.{prefix}.done", **place, field: text,
               **({"name": "note"} if field == "arguments" else {"logprobs": []} if prefix == "output_text" else {})}
        if end:
            yield {"type": end[0], **place, "part": end[1]}

    def item(index, whole, empty, *streams):
        yield {"type": "response.output_item.added", "output_index": index, "item": {**whole, **empty, "status": "in_progress"}}
        yield from script.interleaved(*streams)
        yield {"type": "response.output_item.done", "output_index": index, "item": whole}

    summary = "response.reasoning_summary_part"
    streams = [
        item(0, reasoning, {"summary": []}, spoken(
            "reasoning_summary_text", {"item_id": "rs_1", "output_index": 0, "summary_index": 0}, "text", texts["reasoning"],
            (f"{summary}.added", {"type": "summary_text", "text": ""}), (f"{summary}.done", reasoning["summary"][0]))),
        item(1, message, {"content": []}, *(spoken(
            prefix, {"item_id": "msg_1", "output_index": 1, "content_index": at}, field, texts[label],
            ("response.content_part.added", {**parts[at], field: "", **({} if field == "refusal" else {"logprobs": []})}),
            ("response.content_part.done", parts[at]))
            for at, (prefix, field, label) in enumerate([("output_text", "text", "content"), ("refusal", "refusal", "refusal")]))),
        *(item(2 + at, call, {"arguments": ""}, spoken(
            "function_call_arguments", {"item_id": call["id"], "output_index": 2 + at}, "arguments", call["arguments"], None, None))
          for at, call in enumerate(calls)),
    ]
    events = [{"type": "response.created", "response": response("in_progress", [])}, *script.interleaved(*streams),
              {"type": "response.completed", "response": response("completed", items)}]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


# ── Anthropic ──

def messages(request, model, message):
    """Signed thinking, a text, two calls, in blocks whose deltas come in any order."""
    script = Script(request, model)
    signed = {"type": "thinking", "thinking": script.said("thinking"), "signature": "c2lnbmVk"}
    text = {"type": "text", "text": script.said("content")}
    calls = [{"type": "tool_use", "id": f"toolu_{number}", "name": "note", "input": json.loads(script.arguments(number))}
             for number in (0, 1)]
    blocks = [text, *calls] if "-turns" in model else [signed, text, *calls]
    if not request.get("stream"):
        return {**message, "content": blocks, "stop_reason": "tool_use"}
    starts, deltas = [], []
    for index, block in enumerate(blocks):
        kind = block["type"]
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
        starts.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        whole = script.arguments(int(block["id"][-1])) if kind == "tool_use" else block[kind]
        name, field = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking"),
                       "tool_use": ("input_json_delta", "partial_json")}[kind]
        stream = [{"type": name, field: piece} for piece in script.pieces(whole)]
        stream += [{"type": "signature_delta", "signature": block["signature"]}] if kind == "thinking" else []
        deltas.append([{"type": "content_block_delta", "index": index, "delta": delta} for delta in stream])
    return [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}, *starts, {"type": "ping"},
        *script.interleaved(*deltas), *({"type": "content_block_stop", "index": index} for index in range(len(blocks))),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 22}},
        {"type": "message_stop"},
    ]


# ── Gemini, Ollama, Cohere ──

def gemini(request, model, chunk, streamed):
    """A thought, a text and two calls; calls are not cut."""
    script = Script(request, model)
    thought, text = ({"text": script.said("reasoning"), "thought": True}, {"text": script.said("content")})
    calls = [{"functionCall": {"name": "note", "args": json.loads(script.arguments(number))}} for number in (0, 1)]
    if not streamed:
        return chunk([thought, text, *calls], "STOP")
    pieces = [{**part, "text": piece} for part in (thought, text) for piece in script.pieces(part["text"])]
    return [*(chunk([piece]) for piece in pieces), chunk(calls), chunk([{"text": ""}], "STOP")]


def ollama_chat(request, model, base, end):
    script = Script(request, model)
    calls = [{"function": {"name": "note", "arguments": json.loads(script.arguments(number))}} for number in (0, 1)]
    texts = {"thinking": script.said("reasoning"), "content": script.said("content")}
    if request.get("stream", True) is False:
        return {**base, "message": {"role": "assistant", **texts, "tool_calls": calls}, **end}
    nothing = {"role": "assistant", "content": ""}
    streams = ([{**nothing, field: piece} for piece in script.pieces(text)] for field, text in texts.items())
    lines = [*script.interleaved(*streams), *({**nothing, "tool_calls": [call]} for call in calls)]
    return [*({**base, "message": line, "done": False} for line in lines), {**base, "message": nothing, **end}]


def cohere_chat(request, model, usage):
    script = Script(request, model)
    plan, text = script.said("plan"), script.said("content")
    calls = [chat_call(number, script.arguments(number)) for number in (0, 1)]
    if not request.get("stream"):
        return {"id": "c1", "finish_reason": "TOOL_CALL", "usage": usage,
                "message": {"role": "assistant", "tool_plan": plan, "tool_calls": calls,
                            "content": [{"type": "text", "text": text}]}}

    def event(kind, message=None, **more):
        return {"type": kind, **more, **({"delta": {"message": message}} if message is not None else {})}

    def call(number):
        yield event("tool-call-start", {"tool_calls": chat_call(number, "")}, index=number)
        for piece in script.pieces(script.arguments(number)):
            yield event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index=number)
        yield event("tool-call-end", index=number)

    texts = [event("content-start", {"content": {"type": "text", "text": ""}}, index=0),
             *(event("content-delta", {"content": {"text": piece}}, index=0) for piece in script.pieces(text)),
             event("content-end", index=0)]
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return [event("message-start", start, id="c1"),
            *(event("tool-plan-delta", {"tool_plan": piece}) for piece in script.pieces(plan)),
            *texts, *script.interleaved(call(0), call(1)),  # texts and calls are numbered apart: one kind at a time
            {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": usage}}]
