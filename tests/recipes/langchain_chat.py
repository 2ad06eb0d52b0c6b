"""LangChain."""

import os

from langchain_openai import ChatOpenAI

chat = ChatOpenAI(model="gpt-4o", base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["TOKEN"])
print(chat.invoke(os.environ["PROMPT"]).content)
