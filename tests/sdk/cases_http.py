"""What no SDK would send: hand-made requests over plain HTTP. Run once, whatever the generation."""

import base64
import gzip
import json
import socket
import time
import urllib.parse
import zlib

import brotli
import httpx
import zstandard

import answers
from harness import ATTACK, HELLO, case

CHAT = "/v1/chat/completions"

# Every dialect's route: path at the gateway, path at the upstream, a body with HOLE where text goes, the key's header.
DIALECTS = [
    ("openai", CHAT, CHAT, {"model": "m", "messages": [{"role": "user", "content": "HOLE"}]}, "authorization"),
    ("openai", "/v1/completions", "/v1/completions", {"model": "m", "prompt": "HOLE"}, "authorization"),
    ("openai", "/v1/responses", "/v1/responses", {"model": "m", "input": "HOLE"}, "authorization"),
    ("azure", "/openai/deployments/d/chat/completions?api-version=2024-10-21", "/openai/deployments/d/chat/completions",
     {"messages": [{"role": "user", "content": "HOLE"}]}, "api-key"),
    ("anthropic", "/v1/messages", "/v1/messages",
     {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "HOLE"}]}, "x-api-key"),
    ("gemini", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent",
     {"contents": [{"parts": [{"text": "HOLE"}]}]}, "x-goog-api-key"),
    ("gemini", "/v1/models/m:streamGenerateContent?alt=sse", "/v1/models/m:streamGenerateContent",
     {"contents": [{"parts": [{"text": "HOLE"}]}]}, "x-goog-api-key"),
    ("gemini", "/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions",
     {"model": "m", "messages": [{"role": "user", "content": "HOLE"}]}, "authorization"),
    ("ollama", "/api/chat", "/api/chat", {"model": "m", "messages": [{"role": "user", "content": "HOLE"}]}, None),
    ("ollama", "/api/generate", "/api/generate", {"model": "m", "prompt": "HOLE"}, None),
    ("cohere", "/v2/chat", "/v2/chat", {"model": "m", "messages": [{"role": "user", "content": "HOLE"}]}, "authorization"),
    ("mistral", "/mistral/v1/chat/completions", CHAT,
     {"model": "m", "messages": [{"role": "user", "content": "HOLE"}]}, "authorization"),
    ("mistral", "/mistral/v1/fim/completions", "/v1/fim/completions", {"model": "m", "prompt": "HOLE"}, "authorization"),
    ("bedrock", "/bedrock/model/vendor.m-v1%3A0/converse", "/model/vendor.m-v1%3A0/converse",
     {"messages": [{"role": "user", "content": [{"text": "HOLE"}]}]}, "authorization"),
    ("bedrock", "/bedrock/model/m/converse-stream", "/model/m/converse-stream",
     {"messages": [{"role": "user", "content": [{"text": "HOLE"}]}]}, "authorization"),
]
KEYS = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY",
        "cohere": "COHERE_API_KEY", "mistral": "MISTRAL_API_KEY", "bedrock": "AWS_BEARER_TOKEN_BEDROCK"}


def filled(body, text):
    return json.dumps(body, ensure_ascii=False).replace("HOLE", json.dumps(text, ensure_ascii=False)[1:-1]).encode()


def chat_body(text, **more):
    return filled({**DIALECTS[0][3], **more}, text)


def refused(response, status, code):
    assert response.status_code == status, f"{response.status_code} instead of {status}: {response.text[:300]}"
    assert response.json()["error"]["code"] == code, response.text
    assert response.headers["x-request-id"]


def straight(world, path, body):
    """The answer of the upstream without the gateway."""
    return httpx.post(world.settings.upstream + path, content=body, headers={"content-type": "application/json"}, trust_env=False)


@case("http", "every dialect: benign bodies and answers are byte for byte the same, the key is in its place", needs_gateway=True)
def every_dialect_passes(world):
    for provider, path, upstream_path, shape, header in DIALECTS:
        for stream in (False, True):
            body = filled({**shape, "stream": stream} if provider in ("openai", "anthropic", "ollama", "cohere") else shape, HELLO)
            response = world.post(path, body)
            assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:300]}"
            last = world.last()
            assert last.body == body, f"{path}: the body changed"
            assert last.path == upstream_path, f"{path} went to {last.path}"
            query = path.partition("?")[2]
            assert last.query == query, f"{path}: query {last.query}"
            for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
                bearer = "Bearer " if name == "authorization" else ""
                wanted = bearer + world.settings.keys[KEYS[provider]] if name == header else None
                assert last.header(name) == wanted, f"{path}: {name} is {last.header(name)}"
            plain = straight(world, upstream_path + (f"?{query}" if query else ""), body)
            assert response.content == plain.content, f"{path}: the answer changed"
            assert response.headers["content-type"] == plain.headers["content-type"]


@case("http", "every dialect: secrets are masked, raw and \\u-escaped, whole and across parts of an escape", needs_gateway=True)
def every_dialect_masks(world):
    for _, path, _, shape, _ in DIALECTS:
        secret = world.secret.github()
        escaped = "".join(f"\\u{ord(letter):04x}" if number % 3 else letter for number, letter in enumerate(secret))
        for form in (secret, escaped):
            body = json.dumps(shape).replace("HOLE", f"gr\\u00fcn {form} \\/ \\ud83d\\ude00").encode()
            response = world.post(path, body)
            assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:300]}"
            arrived = world.last().body
            start, end = body.index(form.encode()), len(body) - body.index(form.encode()) - len(form)
            assert arrived.startswith(body[:start]) and arrived.endswith(body[-end:]), f"{path}: more than the secret changed"
            placeholder = arrived[start:len(arrived) - end].decode()
            world.masked(placeholder, secret, "", "")
        world.nowhere(secret)


@case("http", "every dialect: an attack is refused with 400 and never arrives", needs_gateway=True)
def every_dialect_blocks(world):
    for _, path, _, shape, _ in DIALECTS:
        response = world.post(path, filled(shape, ATTACK))
        assert response.status_code == 400, f"{path}: {response.status_code} {response.text[:200]}"
        assert response.headers["x-should-retry"] == "false" and response.headers["x-promptgate-verdict"], path
        assert ATTACK[:30] not in response.text, path
    assert not world.complete()


@case("http", "every dialect: no token, a bad one and one without the scope are 401, 401, 403", needs_gateway=True)
def every_dialect_authenticates(world):
    for _, path, _, shape, _ in DIALECTS:
        for headers, status in [({}, 401), ({"authorization": "Bearer nonsense"}, 401), ({"authorization": "Basic c3B2"}, 401),
                                ({"authorization": f"Bearer {world.settings.narrow_token}"}, 403)]:
            headers = {"content-type": "application/json", **headers}
            response = world.raw.post(path, content=filled(shape, HELLO), headers=headers)
            assert response.status_code == status, f"{path} {status}: {response.status_code} {response.text[:200]}"
            assert status != 401 or "www-authenticate" in response.headers, path
            response.json()
    assert not world.complete()


@case("http", "JSON that printers would change arrives byte for byte")
def odd_but_legal(world):
    odd = (b' {\n\t"model" : "m" ,"x":[1.0,1E-1,-0.0,1e400,12345678901234567890123],"y":"\\/ \\ud800 \\u00FC \\b\\f",'
           b'"messages":[ { "content":"a\\tb \xc3\xbc","role":"user"} ] , "deep":' + b"[" * 90 + b"]" * 90 + b"}\r\n \n")
    response = world.post(CHAT, odd)
    assert response.status_code == 200, response.text
    world.unchanged()
    many_keys = json.dumps({**DIALECTS[0][3], "metadata": {f"key-{n}": n for n in range(20_000)}}).encode()
    assert world.post(CHAT, many_keys).status_code == 200
    world.unchanged()


@case("http", "what cannot be understood is refused, and never arrives", needs_gateway=True)
def not_understood(world):
    for body, code in [
        (b"", "invalid_json"), (b"{", "invalid_json"), (b"{'a':1}", "invalid_json"), (b'{"a":1}{', "invalid_json"),
        (b'{"a":"\x01"}', "invalid_json"), (b'{"a":"\xff\xfe"}', "invalid_json"), (b"\xef\xbb\xbf{}", "invalid_json"),
        (chat_body(HELLO).decode().encode("utf-16"), "invalid_json"), (b'{"a":NaN}', "invalid_json"),
        (b'{"model":"m","messages":[],"messages":[]}', "duplicate_key"),
        (b'{"model":"m","messages":[],"mess\\u0061ges":[]}', "duplicate_key"),
        (json.dumps({**DIALECTS[0][3], world.secret.github(): 1}).encode(), "finding_in_key"),
    ]:
        refused(world.post(CHAT, body), 400, code)
    assert world.post("/v1/unknown", b"{}").status_code == 404
    assert world.post("/v1//chat/completions", chat_body(HELLO)).status_code in (400, 404)
    assert world.raw.put(CHAT, content=chat_body(HELLO), headers={"authorization": f"Bearer {world.token}"}).status_code == 405
    for kind in ("text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x"):
        assert world.post(CHAT, chat_body(HELLO), {"content-type": kind}).status_code == 415, kind
    assert not world.complete()


@case("http", "gzip, x-gzip, br and zstd bodies are decoded, masked and sent on plain", needs_gateway=True)
def compressed(world):
    codings = {"gzip": gzip.compress, "x-gzip": gzip.compress, "br": brotli.compress,
               "zstd": zstandard.ZstdCompressor(level=3).compress}
    for name, compress in codings.items():
        secret = world.secret.github()
        benign, hidden = chat_body(HELLO), chat_body(f"My {secret} here.")
        assert world.post(CHAT, compress(benign), {"content-encoding": name}).status_code == 200, name
        assert world.last().body == benign and world.last().header("content-encoding") is None, name
        assert world.post(CHAT, compress(hidden), {"content-encoding": name}).status_code == 200, name
        world.masked(world.last().json["messages"][0]["content"], secret, "My ", " here.")
        arrived = world.complete()
        assert world.post(CHAT, compress(chat_body(ATTACK)), {"content-encoding": name}).status_code == 400, name
        assert world.complete() == arrived
        broken = compress(benign)[:-6]
        assert world.post(CHAT, broken, {"content-encoding": name}).status_code == 400, f"{name} cut short"
        assert world.complete() == arrived


@case("http", "other and double codings are 415, a bomb is 413", needs_gateway=True)
def bad_codings(world):
    body = chat_body(HELLO)
    for name, data in [("deflate", zlib.compress(body)), ("gzip, gzip", gzip.compress(gzip.compress(body))), ("rot13", body)]:
        response = world.post(CHAT, data, {"content-encoding": name})
        assert response.status_code == 415, f"{name}: {response.status_code} {response.text[:200]}"
    for name, bomb in [("gzip", gzip.compress(b" " * 100_000_000)), ("br", brotli.compress(b" " * 100_000_000, quality=1))]:
        response = world.post(CHAT, bomb, {"content-encoding": name})
        assert response.status_code == 413, f"{name} bomb: {response.status_code} {response.text[:200]}"
    assert not world.complete()


@case("http", "a chunked body is masked however it is cut")
def chunked(world):
    secret = world.secret.github()
    body = chat_body(f"My {secret} here – grün.")
    at = body.index(secret.encode())
    for cuts in (range(1, len(body)), [at + 1], [at + 4, at + 5], [at + len(secret)], [body.index("ü".encode()) + 1]):
        edges = [0, *cuts, len(body)]
        pieces = [body[start:end] for start, end in zip(edges, edges[1:])]
        headers = {"content-type": "application/json", "authorization": f"Bearer {world.token}"}
        response = world.raw.post(CHAT, content=iter(pieces), headers=headers)
        assert response.status_code == 200, response.text
        world.masked(world.last().json["messages"][0]["content"], secret, "My ", " here – grün.")
    world.nowhere(secret)


@case("http", "the next turn of a conversation begins, at the upstream, as the last one did", needs_gateway=True)
def turn_stability(world):
    turns = [{"role": "user", "content": f"My {world.secret.github()} and {world.secret.email()} here."}]
    earlier = b""
    for number in range(4):
        body = json.dumps({"model": "m", "messages": turns}).encode()
        assert world.post(CHAT, body).status_code == 200
        arrived = world.last().body.removesuffix(b"]}")
        assert arrived.startswith(earlier), "a prompt cache would miss"
        earlier = arrived
        turns.append({"role": "assistant", "content": f"Noted, number {number}: {world.secret.aws()}."})
        turns.append({"role": "user", "content": HELLO})


@case("http", "a benign chunked body of 20 MB arrives byte for byte")
def chunked_big(world):
    image = base64.b64encode(world.random.randbytes(15_000_000)).decode()
    parts = [{"type": "text", "text": HELLO}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}, ensure_ascii=False).encode()
    pieces = (body[start:start + 70_000] for start in range(0, len(body), 70_000))
    headers = {"content-type": "application/json", "authorization": f"Bearer {world.token}"}
    assert world.raw.post(CHAT, content=pieces, headers=headers).status_code == 200
    assert world.last().body == body


@case("http", "an attack at the end of 4 MB of text never arrives whole, and nothing secret before it", needs_gateway=True)
def late_attack(world):
    secret = world.secret.github()
    filler = "The quick brown fox jumps over the lazy dog. " * 90_000
    body = chat_body(f"My {secret} here. {filler}{ATTACK}")
    for content in (body, iter([body[start:start + 65_536] for start in range(0, len(body), 65_536)])):
        headers = {"content-type": "application/json", "authorization": f"Bearer {world.token}"}
        response = world.raw.post(CHAT, content=content, headers=headers)
        assert response.status_code == 400, f"{response.status_code} {response.text[:300]}"
    assert not world.complete()
    assert not any(secret.encode() in received.body for received in world.received())
    assert not any(ATTACK.encode() in received.body for received in world.received())


@case("http", "a body the caller breaks off never arrives whole", needs_gateway=True)
def broken_upload(world):
    host, port = urllib.parse.urlsplit(world.base).netloc.split(":")
    head = (f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token}\r\nContent-Type: application/json\r\n")
    body = chat_body(HELLO)
    whole_json = b"%x\r\n%s\r\n" % (len(body), body)
    for framing, sent in [(f"Content-Length: {len(body) + 1}", body), ("Transfer-Encoding: chunked", whole_json)]:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{head}{framing}\r\n\r\n".encode() + sent)
            time.sleep(0.3)
    time.sleep(0.5)
    assert not world.complete()


@case("http", "Expect: 100-continue is answered and the body goes up")
def expect_continue(world):
    host, port = urllib.parse.urlsplit(world.base).netloc.split(":")
    body = chat_body(HELLO)
    head = (f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100"), "no 100 Continue"
        connection.sendall(body)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert b" 200 " in answer.split(b"\r\n", 1)[0], answer[:200]
    assert world.last().body == body


@case("http", "HTTP/2 in cleartext: masked, streamed, refused", needs_gateway=True)
def http2(world):
    secret = world.secret.github()
    headers = {"authorization": f"Bearer {world.token}", "content-type": "application/json"}
    with httpx.Client(base_url=world.base, http1=False, http2=True, timeout=30, trust_env=False) as client:
        response = client.post(CHAT, content=chat_body(f"My {secret} here.", stream=True), headers=headers)
        assert (response.status_code, response.http_version) == (200, "HTTP/2"), response.text
        assert response.content.endswith(b"data: [DONE]\n\n")
        world.masked(world.last().json["messages"][0]["content"], secret, "My ", " here.")
        response = client.post(CHAT, content=chat_body(ATTACK), headers=headers)
        assert response.status_code == 400 and response.json()["error"]["code"] == "content_filter"


@case("http", "every provider's streams are cut downstream where they were cut upstream")
def cut_streams(world):
    for path, shape in [(CHAT, DIALECTS[0][3]), ("/v1/messages", DIALECTS[4][3]), ("/api/chat", DIALECTS[8][3])]:
        try:
            response = world.post(path, filled({**shape, "model": "m-cut", "stream": True}, HELLO))
        except httpx.TransportError:
            continue
        raise AssertionError(f"{path}: a cut stream looks complete: {response.content[-80:]!r}")


@case("http", "a caller that leaves before the answer begins takes the upstream request with it, within a second")
def caller_leaves_early(world):
    host, port = urllib.parse.urlsplit(world.base).netloc.split(":")
    body = chat_body(HELLO).replace(b'"m"', b'"m-hang"')
    head = (f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        deadline = time.time() + 5
        while not world.received() and time.time() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
    world.upstream_was_left(time.time())


@case("http", "a credential in the query is refused, unknown headers and query keys do not go up", needs_gateway=True)
def query_and_headers(world):
    body = filled(DIALECTS[5][3], HELLO)
    response = world.raw.post(f"/v1beta/models/m:generateContent?key={world.token}", content=body,
                              headers={"content-type": "application/json"})
    assert response.status_code == 401, response.status_code
    assert not world.complete()
    world.post(f"{CHAT}?debug={world.secret.github()}", chat_body(HELLO), {"x-internal": "yes", "x-forwarded-for": "10.1.2.3"})
    last = world.last()
    assert last.query == "" and last.header("x-internal") is None, (last.query, last.headers)
    assert last.header("accept-encoding") == "identity"


@case("http", "Bedrock: a SigV4-signed request is 401 with an explanation", needs_gateway=True)
def sigv4(world):
    signature = ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
                 "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64)
    body = filled(DIALECTS[13][3], HELLO)
    response = world.post("/bedrock/model/m/converse", body, {"authorization": signature, "x-amz-date": "20260101T000000Z"})
    assert response.status_code == 401, response.status_code
    assert "bearer" in response.json()["message"].lower() and response.headers["x-amzn-errortype"], response.text
    assert not world.complete()


@case("http", "auth = \"pass\": the gateway's token in its own header, the caller's key goes up", needs_gateway=True)
def passed_credentials(world):
    own = {"authorization": "Bearer the-callers-own-key", "x-promptgate-token": world.token}
    response = world.post("/pass/v1/chat/completions", chat_body(HELLO), own)
    assert response.status_code == 200, response.text
    last = world.last()
    assert last.header("authorization") == "Bearer the-callers-own-key" and last.header("x-promptgate-token") is None
    assert world.post("/pass/v1/chat/completions", chat_body(HELLO)).status_code == 401


@case("http", "an upstream whose key is not set answers 503 in the dialect", needs_gateway=True)
def missing_key(world):
    response = world.post("/keyless/v1/chat/completions", chat_body(HELLO))
    assert response.status_code == 503 and response.json()["error"]["message"], response.text
    assert not world.complete()


@case("http", "an upstream that is not there answers 502 or 503 in the dialect", needs_gateway=True)
def missing_upstream(world):
    response = world.post("/absent/v1/chat/completions", chat_body(HELLO))
    assert response.status_code in (502, 503, 504) and response.json()["error"]["message"], response.text


@case("http", "fifty kept-alive requests on one connection, refusals between answers", needs_gateway=True)
def keep_alive(world):
    for number in range(50):
        attack = number % 5 == 3
        response = world.post(CHAT, chat_body(ATTACK if attack else f"Request {number}: {HELLO}"))
        assert response.status_code == (400 if attack else 200), f"{number}: {response.status_code} {response.text[:200]}"
        if not attack:
            assert response.json()["choices"][0]["message"]["content"] == answers.TEXT
    assert world.complete() == 40


@case("http", "a refusal in the middle of a body leaves the caller a connection it can trust", needs_gateway=True)
def refused_and_on(world):
    bomb = gzip.compress(b" " * 80_000_000)
    for number in range(12):
        response = world.post(CHAT, bomb, {"content-encoding": "gzip"})
        assert response.status_code == 413, f"{number}: {response.status_code} {response.text[:200]}"
        assert world.post(CHAT, chat_body(HELLO)).status_code == 200
