"""LlamaIndex."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI

llm = OpenAI(model="gpt-4o", api_base=os.environ["GATEWAY"] + "/v1", api_key=os.environ["TOKEN"])
print(llm.chat([ChatMessage(role="user", content=os.environ["PROMPT"])]).message.content)
