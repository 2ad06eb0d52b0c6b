"""LiteLLM as a client, in both dialects."""

import os

import litellm

gateway, token = os.environ["GATEWAY"], os.environ["TOKEN"]
messages = [{"role": "user", "content": os.environ["PROMPT"]}]
for model, base in [("openai/gpt-4o", gateway + "/v1"), ("anthropic/claude-sonnet-4-5", gateway)]:
    answer = litellm.completion(model=model, api_base=base, api_key=token, messages=messages, max_tokens=1024)
    print(answer.choices[0].message.content)
