// The AI SDK of Vercel.
import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";

const { GATEWAY, TOKEN, PROMPT } = process.env;
const openai = createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: TOKEN });
const { textStream } = streamText({ model: openai.chat("gpt-4o"), prompt: PROMPT });
for await (const text of textStream) process.stdout.write(text);
