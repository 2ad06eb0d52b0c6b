// The SDK of OpenAI for JavaScript.
import OpenAI from "openai";

const { GATEWAY, TOKEN, PROMPT } = process.env;
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: TOKEN });
const answer = await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: PROMPT }] });
console.log(answer.choices[0].message.content);
