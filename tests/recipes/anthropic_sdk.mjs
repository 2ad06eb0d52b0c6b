// The SDK of Anthropic for JavaScript.
import Anthropic from "@anthropic-ai/sdk";

const { GATEWAY, TOKEN, PROMPT } = process.env;
const client = new Anthropic({ baseURL: GATEWAY, apiKey: TOKEN });
const messages = [{ role: "user", content: PROMPT }];
const answer = await client.messages.create({ model: "claude-sonnet-4-5", max_tokens: 1024, messages });
console.log(answer.content[0].text);
