"""The SDK of Anthropic."""

import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["GATEWAY"], api_key=os.environ["TOKEN"])
messages = [{"role": "user", "content": os.environ["PROMPT"]}]
with client.messages.stream(model="claude-sonnet-4-5", max_tokens=1024, messages=messages) as stream:
    for text in stream.text_stream:
        print(text, end="")
