"""The SDK of OpenAI."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["TOKEN"])
messages = [{"role": "user", "content": os.environ["PROMPT"]}]
with client.chat.completions.create(model="gpt-4o", messages=messages, stream=True) as stream:
    for event in stream:
        print(event.choices[0].delta.content or "" if event.choices else "", end="")
