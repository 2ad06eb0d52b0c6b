"""Tools that are told by variables alone: what stands on the SDK of Anthropic reads ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN, on
that of OpenAI OPENAI_BASE_URL and OPENAI_API_KEY. Both SDKs here are given nothing else."""

import os

gateway, token = os.environ["GATEWAY"], os.environ["TOKEN"]
os.environ |= {"ANTHROPIC_BASE_URL": gateway, "ANTHROPIC_AUTH_TOKEN": token}
os.environ |= {"OPENAI_BASE_URL": gateway + "/v1", "OPENAI_API_KEY": token}

from anthropic import Anthropic
from openai import OpenAI

messages = [{"role": "user", "content": os.environ["PROMPT"]}]
print(Anthropic().messages.create(model="claude-sonnet-4-5", max_tokens=1024, messages=messages).content[0].text)
print(OpenAI().responses.create(model="gpt-5", input=os.environ["PROMPT"]).output_text)
