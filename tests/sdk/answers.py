"""What the recording upstream says in each dialect: the same every time, or what `echoes` makes of the request. Pure: bytes
in, bytes out."""

import base64
import json
import re
import struct
import zlib
from dataclasses import dataclass, field

import echoes

# Text with everything that escaping, chunking and UTF-8 can get wrong, and nothing a detector should mind.
TEXT = 'Grüße aus München: "quoted", back\\slash, tab\t, 日本語, 😀 and a line\nbreak. The end of a friendly answer.'
ARGUMENTS = '{"city": "München \\"Süd\\"", "unit": "celsius", "days": 3, "note": "\\u00fc\\n/"}'
MODEL = "recorded"
CREATED = 1767225600

# What an SDK must still see, and one cookie it must not: clients would replay it across tenants.
HEADERS = [
    ("x-request-id", "req_upstream"), ("request-id", "req_upstream"), ("openai-processing-ms", "7"),
    ("x-ratelimit-remaining-requests", "41"), ("anthropic-ratelimit-requests-remaining", "41"),
    ("Set-Cookie", "__cf_bm=tenant; path=/"),
]


@dataclass
class Answer:
    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    pieces: list = None
    behaviour: set = field(default_factory=set)


def answer(method, path, query, body):
    request = parse(body)
    model = model_of(path, request)
    behaviour = set(re.findall(r"-(error\d{3}|cut|slow|hang|tool|leak|echo|made|gzip|br|zstd)\b", model))
    for handler_method, pattern, respond in ROUTES:
        if method == handler_method and re.search(pattern, path):
            break
    else:
        return Answer(404, body=dump({"error": {"message": f"no such path: {path}", "code": "not_found"}}))
    status = next((int(name[5:]) for name in behaviour if name.startswith("error")), 200)
    if status != 200:
        return Answer(status, body=error_body(path, status), behaviour=behaviour)
    result = respond({**request, "model": model}, query, "tool" in behaviour)
    result.behaviour = behaviour
    return result


def repeats(request):
    """Whether the answer is made of the request."""
    return re.search(r"-(echo|made)\b", request["model"]) is not None


def parse(body):
    try:
        request = json.loads(body or b"{}")
        return request if isinstance(request, dict) else {}
    except ValueError:
        return {}


def model_of(path, request):
    in_path = re.search(r"/(?:models|deployments|model)/([^/:]+)", path)
    return in_path[1] if in_path else str(request.get("model", ""))


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error_body(path, status):
    """Each provider's own, with a spacing nobody's printer would choose, to see that it is passed as it is."""
    message = f"upstream says {status} – überlastet"
    if ":" in path.rsplit("/", 1)[-1]:
        value = {"error": {"code": status, "message": message, "status": "UPSTREAM_STATUS", "details": []}}
    elif "/messages" in path:
        value = {"type": "error", "error": {"type": "upstream_error", "message": message}, "request_id": "req_upstream"}
    elif path.startswith("/api/"):
        value = {"error": message}
    else:
        value = {"error": {"message": message, "type": "upstream_error", "param": None, "code": "upstream_code"}}
    return json.dumps(value, indent=1).encode() + b"\n"


def pieces_of(text):
    """Cut at uneven places."""
    cuts = [0]
    while cuts[-1] < len(text):
        cuts.append(cuts[-1] + (1, 4, 2, 7, 3)[len(cuts) % 5])
    return [text[start:end] for start, end in zip(cuts, cuts[1:])]


def sse(events, newline="\n", named=False):
    pieces = []
    for event in events:
        name = f"event: {event['type']}{newline}" if named else ""
        pieces.append(f"{name}data: ".encode() + dump(event) + (newline * 2).encode())
    return pieces


def events(pieces):
    return Answer(content_type="text/event-stream; charset=utf-8", pieces=pieces)


def whole(value):
    return Answer(body=dump(value))


# ── OpenAI ──

def openai_chat(request, _query, tool):
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls} if tool else {"role": "assistant", "content": TEXT}
    finish = "tool_calls" if tool else "stop"
    base = {"id": "chatcmpl-1", "created": CREATED, "model": MODEL, "system_fingerprint": "fp_1"}
    if repeats(request):
        said = echoes.chat(request, request["model"], base, OPENAI_USAGE)
        return events(sse(said) + [b"data: [DONE]\n\n"]) if request.get("stream") else whole(said)
    if not request.get("stream"):
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return whole({**base, "object": "chat.completion", "choices": [choice], "usage": OPENAI_USAGE})

    def chunk(delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**base, "object": "chat.completion.chunk", "choices": [choice]}

    if tool:
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
        deltas = [{"role": "assistant", "content": None, "tool_calls": [first]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces_of(ARGUMENTS)]
    else:
        deltas = [{"role": "assistant", "content": ""}] + [{"content": piece} for piece in pieces_of(TEXT)]
    chunks = [chunk(delta) for delta in deltas] + [chunk({}, finish)]
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": OPENAI_USAGE})
    return events(sse(chunks) + [b"data: [DONE]\n\n"])


OPENAI_USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}


def openai_completions(request, _query, _tool):
    def chunk(text, finish):
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": MODEL, "choices": [choice]}

    if not request.get("stream"):
        return whole({**chunk(TEXT, "stop"), "usage": OPENAI_USAGE})
    chunks = [chunk(piece, None) for piece in pieces_of(TEXT)] + [chunk("", "stop")]
    return events(sse(chunks) + [b"data: [DONE]\n\n"])


def openai_responses(request, _query, tool):
    def part(text):
        return {"type": "output_text", "text": text, "annotations": []}

    if tool:
        done = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": ARGUMENTS,
                "status": "completed"}
        added = {**done, "arguments": "", "status": "in_progress"}
    else:
        done = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part(TEXT)]}
        added = {**done, "status": "in_progress", "content": []}

    def response(status, output):
        return {
            "id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "model": MODEL, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "tools": [],
            "tool_choice": "auto", "temperature": 1.0, "top_p": 1.0, "output": output,
            "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 22,
                      "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 33},
        }

    if repeats(request):
        said = echoes.responses(request, request["model"], response)
        return events(sse(said, named=True)) if request.get("stream") else whole(said)
    if not request.get("stream"):
        return whole(response("completed", [done]))
    place = {"item_id": done["id"], "output_index": 0}
    if tool:
        prefix, deltas = "response.function_call_arguments", pieces_of(ARGUMENTS)
        body = [{"type": f"{prefix}.delta", **place, "delta": piece} for piece in deltas]
        body += [{"type": f"{prefix}.done", **place, "name": "weather", "arguments": ARGUMENTS}]
    else:
        place["content_index"] = 0
        body = [{"type": "response.content_part.added", **place, "part": part("")}]
        body += [{"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces_of(TEXT)]
        body += [{"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
                 {"type": "response.content_part.done", **place, "part": part(TEXT)}]
    stream = [{"type": "response.created", "response": response("in_progress", [])},
              {"type": "response.in_progress", "response": response("in_progress", [])},
              {"type": "response.output_item.added", "output_index": 0, "item": added}, *body,
              {"type": "response.output_item.done", "output_index": 0, "item": done},
              {"type": "response.completed", "response": response("completed", [done])}]
    return events(sse([{**event, "sequence_number": number} for number, event in enumerate(stream)], named=True))


def openai_embeddings(request, _query, _tool):
    inputs = request.get("input")
    count = len(inputs) if isinstance(inputs, list) and inputs and not isinstance(inputs[0], int) else 1
    vector = [0.5, -0.25, 1.0]
    if request.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    return whole({"object": "list", "data": rows, "model": MODEL, "usage": {"prompt_tokens": 3, "total_tokens": 3}})


def openai_moderations(_request, _query, _tool):
    names = ["harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
             "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"]
    result = {"flagged": False, "categories": {name: False for name in names},
              "category_scores": {name: 0.01 for name in names}, "category_applied_input_types": {name: [] for name in names}}
    return whole({"id": "modr-1", "model": MODEL, "results": [result]})


def models(_request, _query, _tool):
    entry = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "upstream", "type": "model",
             "display_name": "Recorded", "created_at": "2026-01-01T00:00:00Z"}
    return whole({"object": "list", "data": [entry], "has_more": False, "first_id": MODEL, "last_id": MODEL,
                  "models": [{"name": f"models/{MODEL}", "model": MODEL, "displayName": "Recorded"}]})


# ── Anthropic ──

def anthropic_messages(request, _query, tool):
    content = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": json.loads(ARGUMENTS)} if tool \
        else {"type": "text", "text": TEXT}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [content],
               "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None,
               "usage": {"input_tokens": 11, "output_tokens": 22}}
    if repeats(request):
        said = echoes.messages(request, request["model"], message)
        return events(sse(said, named=True)) if request.get("stream") else whole(said)
    if not request.get("stream"):
        return whole(message)
    empty = {**content, "input": {}} if tool else {**content, "text": ""}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in [""] + pieces_of(ARGUMENTS)] if tool \
        else [{"type": "text_delta", "text": piece} for piece in pieces_of(TEXT)]
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return events(sse([
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": empty}, {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 22}}, {"type": "message_stop"},
    ], named=True))


def anthropic_batch(_request, _query, _tool):
    counts = {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return whole({"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", "request_counts": counts,
                  "created_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z", "ended_at": None,
                  "archived_at": None, "cancel_initiated_at": None, "results_url": None})


# ── Gemini ──

def gemini_chunk(parts, finish=None):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 22, "totalTokenCount": 33}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r1"}


def gemini_parts(tool):
    return [{"functionCall": {"name": "weather", "args": json.loads(ARGUMENTS)}}] if tool else [{"text": TEXT}]


def gemini_generate(request, _query, tool):
    if repeats(request):
        return whole(echoes.gemini(request, request["model"], gemini_chunk, False))
    return whole(gemini_chunk(gemini_parts(tool), "STOP"))


def gemini_stream(request, query, tool):
    texts = [gemini_parts(tool)] if tool else [[{"text": piece}] for piece in pieces_of(TEXT)]
    chunks = [gemini_chunk(parts) for parts in texts] + [gemini_chunk([{"text": ""}], "STOP")]
    if repeats(request):
        chunks = echoes.gemini(request, request["model"], gemini_chunk, True)
    if "alt=sse" in query:
        return events(sse(chunks, newline="\r\n"))
    array = [b"[" + dump(chunks[0])] + [b"\n,\r\n" + dump(chunk) for chunk in chunks[1:]] + [b"\n]\n"]
    return Answer(pieces=array)


# ── Ollama, Cohere, Bedrock ──

def ollama(texts_of, streamed):
    def respond(request, _query, tool):
        base = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z"}
        end = {"done": True, "done_reason": "stop", "total_duration": 5, "load_duration": 1, "prompt_eval_count": 11,
               "prompt_eval_duration": 1, "eval_count": 22, "eval_duration": 3}
        if repeats(request):
            said = echoes.ollama_chat(request, request["model"], base, end)
            return ndjson(said) if isinstance(said, list) else whole(said)
        if request.get("stream", True) is False:
            return whole({**base, **texts_of(TEXT, tool), **end})
        lines = [streamed(piece, False) for piece in pieces_of(TEXT)] if not tool else [texts_of("", True)]
        lines = [{**base, **line, "done": False} for line in lines] + [{**base, **streamed("", False), **end}]
        return ndjson(lines)
    return respond


def ndjson(lines):
    return Answer(content_type="application/x-ndjson", pieces=[dump(line) + b"\n" for line in lines])


def ollama_message(text, tool):
    calls = [{"function": {"name": "weather", "arguments": json.loads(ARGUMENTS)}}]
    return {"message": {"role": "assistant", "content": "", "tool_calls": calls} if tool else
            {"role": "assistant", "content": text}}


def ollama_response(text, _tool):
    return {"response": text}


def ollama_embed(request, _query, _tool):
    inputs = request.get("input")
    count = len(inputs) if isinstance(inputs, list) else 1
    return whole({"model": MODEL, "embeddings": [[0.5, -0.25, 1.0]] * count})


def cohere_chat(request, _query, _tool):
    usage = {"tokens": {"input_tokens": 11, "output_tokens": 22}}
    if repeats(request):
        said = echoes.cohere_chat(request, request["model"], usage)
        return events(sse(said, named=True)) if request.get("stream") else whole(said)
    if not request.get("stream"):
        return whole({"id": "c1", "finish_reason": "COMPLETE", "usage": usage,
                      "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}})
    deltas = [{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
              for piece in pieces_of(TEXT)]
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return events(sse([
        {"type": "message-start", "id": "c1", "delta": {"message": start}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}, *deltas,
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ], named=True))


def bedrock_converse(_request, _query, _tool):
    return whole({"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}, "stopReason": "end_turn",
                  "usage": {"inputTokens": 11, "outputTokens": 22, "totalTokens": 33}, "metrics": {"latencyMs": 5}})


def bedrock_stream(_request, _query, _tool):
    stream = [("messageStart", {"role": "assistant"})]
    stream += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces_of(TEXT)]
    stream += [("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": "end_turn"})]
    pieces = [eventstream(kind, dump(payload)) for kind, payload in stream]
    return Answer(content_type="application/vnd.amazon.eventstream", pieces=pieces)


def eventstream(kind, payload):
    """One binary frame: lengths, CRC of the lengths, headers, payload, CRC of it all."""
    named = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    headers = b"".join(struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
                       for name, value in named)
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


ROUTES = [
    ("POST", r"/chat/completions$", openai_chat),
    ("POST", r"/fim/completions$", openai_chat),
    ("POST", r"/completions$", openai_completions),
    ("POST", r"/responses$", openai_responses),
    ("POST", r"/embeddings$", openai_embeddings),
    ("POST", r"/moderations$", openai_moderations),
    ("POST", r"/messages$", anthropic_messages),
    ("POST", r"/messages/count_tokens$", lambda *_: whole({"input_tokens": 11})),
    ("POST", r"/messages/batches$", anthropic_batch),
    ("POST", r":generateContent$", gemini_generate),
    ("POST", r":streamGenerateContent$", gemini_stream),
    ("POST", r":countTokens$", lambda *_: whole({"totalTokens": 11})),
    ("POST", r":embedContent$", lambda *_: whole({"embedding": {"values": [0.5, -0.25, 1.0]}})),
    ("POST", r":batchEmbedContents$", lambda *_: whole({"embeddings": [{"values": [0.5, -0.25, 1.0]}]})),
    ("POST", r"/api/chat$", ollama(ollama_message, ollama_message)),
    ("POST", r"/api/generate$", ollama(ollama_response, ollama_response)),
    ("POST", r"/api/embed$", ollama_embed),
    ("POST", r"/v2/chat$", cohere_chat),
    ("POST", r"/model/[^/]+/converse$", bedrock_converse),
    ("POST", r"/model/[^/]+/converse-stream$", bedrock_stream),
    ("GET", r"/models$", models),
    ("GET", r"/api/tags$", models),
]
