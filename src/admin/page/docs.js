"use strict";
// Shows /openapi.json. Text is only ever set as text, never as markup.

const at = (id) => document.getElementById(id);
const say = (text) => { at("said").textContent = text; };

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** The schema with its references followed; one that contains itself ends at its name. */
function resolved(schema, all, open = []) {
  if (Array.isArray(schema)) return schema.map((item) => resolved(item, all, open));
  if (schema === null || typeof schema !== "object") return schema;
  const name = typeof schema.$ref === "string" ? schema.$ref.split("/").pop() : null;
  if (name !== null) return open.includes(name) ? { $ref: name } : resolved(all[name], all, [...open, name]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, all, open)]));
}

function content(part, schemas) {
  const nodes = [];
  for (const [type, media] of Object.entries(part.content ?? {})) {
    nodes.push(element("p", type, "quiet"));
    if (media.example !== undefined && media.example !== "") nodes.push(element("pre", shown(media.example)));
    const schema = element("details");
    schema.append(element("summary", "Schema"), element("pre", shown(resolved(media.schema, schemas))));
    nodes.push(schema);
  }
  return nodes;
}

/** A form that sends the request and shows what came back. */
function trial(method, path, operation, token) {
  const form = element("form");
  const example = operation.requestBody?.content["application/json"].example;
  const body = element("textarea");
  body.setAttribute("aria-label", `Body for ${path}`);
  if (example !== undefined) { body.value = shown(example); form.append(body); }
  const answer = element("pre");
  answer.hidden = true;
  form.append(element("button", "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = { Authorization: `Bearer ${token}` };
    if (example !== undefined) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(path, { method, headers, body: example === undefined ? undefined : body.value });
      const text = await response.text();
      let value = text;
      try { value = JSON.parse(text); } catch { /* not JSON: shown as it is */ }
      answer.textContent = `${response.status}\n${shown(value)}`;
    } catch {
      answer.textContent = "The listener does not answer.";
    }
    answer.hidden = false;
  });
  return [form, answer];
}

function operation(method, path, told, schemas, token) {
  const box = element("details");
  const title = element("summary");
  const name = element("h2");
  name.append(element("span", method.toUpperCase(), "method"), element("code", path));
  title.append(name, " ", element("span", told.summary, "quiet"));
  box.append(title, element("p", told.description));
  const scopes = told.security.flatMap((need) => Object.values(need).flat());
  const need = told.security.length === 0 ? "no token" : scopes.length === 0 ? "a token of any scope" : `a token with ${scopes.join(", ")}`;
  box.append(element("p", `Needs ${need}.`));
  if (told.requestBody) box.append(element("h3", "Body"), element("p", told.requestBody.description), ...content(told.requestBody, schemas));
  for (const [status, response] of Object.entries(told.responses)) {
    box.append(element("h3", `${status}: ${response.description}`), ...content(response, schemas));
  }
  box.append(element("h3", "Try it"), ...trial(method.toUpperCase(), path, told, token));
  return box;
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = at("token").value;
  const into = at("operations");
  into.replaceChildren();
  say("Loading …");
  try {
    const response = await fetch("/openapi.json", { headers: { Authorization: `Bearer ${token}` } });
    if (!response.ok) {
      say(response.status === 401 ? "This token is not valid." : `The listener answers with ${response.status}.`);
      return;
    }
    const described = await response.json();
    for (const [path, operations] of Object.entries(described.paths)) {
      for (const [method, told] of Object.entries(operations)) {
        into.append(operation(method, path, told, described.components.schemas, token));
      }
    }
    say(`Version ${described.info.version}, OpenAPI ${described.openapi}.`);
  } catch {
    say("The listener does not answer.");
  }
});
