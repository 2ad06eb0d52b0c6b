// The console's own life: token, theme, sections, what is asked for and when. What a section looks like is in views.js.

import { overview, playground, policy, rules, verdicts } from "/console/views.js";

const TOKEN = "promptgate-token";
const THEME = "promptgate-theme";
const EVERY = 3000;
const KEPT = 100;

const at = (id) => document.getElementById(id);
const views = { overview, playground, verdicts, rules, policy };
const state = { history: [], filter: { verdict: "", words: "" }, draft: { text: "", format: "" }, explained: null };
let token = sessionStorage.getItem(TOKEN);
let current = null;
let timer = 0;

class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? `the listener answered ${status}`);
    this.status = status;
    this.scope = body?.required_scope;
  }
}

async function call(path, body) {
  const headers = { authorization: `Bearer ${token}` };
  const options = body === undefined ? { headers } : { headers: { ...headers, "content-type": "application/json" }, method: "POST", body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { ...options, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" });
  } catch {
    throw new Refused(0, { error: "The admin listener cannot be reached. It is asked again every few seconds." });
  }
  const read = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, read);
  return read;
}

function notice(text, bad = false) {
  const shown = at("notice");
  shown.className = bad ? "notice bad" : "notice";
  if (shown.textContent !== text) shown.textContent = text;
}

function failed(error) {
  if (error.status === 401) return signOut("The token is not accepted any more. Sign in again.");
  const why = error.scope ? `This needs the scope ${error.scope}, which your token does not have.` : error.message;
  notice(why, true);
}

// ── theme ──

const themes = ["system", "light", "dark"];

function wear(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  at("theme").textContent = `Theme: ${theme}`;
}

let theme = localStorage.getItem(THEME);
if (!themes.includes(theme)) theme = "system";
wear(theme);
at("theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  localStorage.setItem(THEME, theme);
  wear(theme);
});

// ── signing in and out ──

function signOut(why = "") {
  token = null;
  sessionStorage.removeItem(TOKEN);
  clearTimeout(timer);
  Object.assign(state, { history: [], explained: null, draft: { text: "", format: "" } });
  current = null;
  notice("");
  at("view").replaceChildren();
  for (const id of ["view", "tabs", "sign-out"]) at(id).hidden = true;
  at("sign-in").hidden = false;
  at("sign-in-error").textContent = why;
  document.title = "Sign in · promptgate console";
  at("token").focus();
}

at("sign-out").addEventListener("click", () => signOut());
at("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  const button = event.submitter ?? at("sign-in-form").querySelector("button");
  button.disabled = true;
  try {
    await call("/get_overview");
    sessionStorage.setItem(TOKEN, token);
    at("token").value = "";
    at("sign-in-error").textContent = "";
    signedIn();
  } catch (error) {
    token = null;
    const known = { 401: "This token is not accepted. Check that it was copied whole and has not expired.", 403: "This token may not read statistics: it needs the scope security:stats." };
    at("sign-in-error").textContent = known[error.status] ?? error.message;
    at("token").focus();
  } finally {
    button.disabled = false;
  }
});

function signedIn() {
  at("sign-in").hidden = true;
  for (const id of ["view", "tabs", "sign-out"]) at(id).hidden = false;
  show(true);
}

// ── sections ──

function named() {
  const name = location.hash.slice(1);
  return Object.hasOwn(views, name) ? name : "overview";
}

function show(moveFocus) {
  if (!token) return;
  clearTimeout(timer);
  const name = named();
  for (const link of at("tabs").children) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  notice("");
  const view = views[name]({ call, confirm, failed, notice, state, refresh });
  current = { name, view };
  at("view").replaceChildren(view.root);
  document.title = `${view.title} · promptgate console`;
  if (moveFocus) at("main").focus({ preventScroll: true });
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  const shown = current;
  if (!shown || !token) return;
  try {
    const data = await shown.view.load();
    if (shown !== current) return;
    if (data?.since) remember(data);
    shown.view.update(data);
    if (shown.lost) notice("");
    shown.lost = false;
  } catch (error) {
    if (shown === current) failed(error);
    shown.lost = true;
  }
  if (shown === current && shown.view.live) timer = setTimeout(refresh, EVERY);
}

function remember({ requests, refused, since }) {
  const last = state.history.at(-1);
  if (last && last.since !== since) state.history = [];
  state.history.push({ at: Date.now(), requests, refused, since });
  if (state.history.length > KEPT) state.history.shift();
}

addEventListener("hashchange", () => show(true));
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));

// ── confirmation ──

function confirm(title, text, yes) {
  const dialog = at("confirm");
  at("confirm-title").textContent = title;
  at("confirm-text").textContent = text;
  at("confirm-yes").textContent = yes;
  return new Promise((resolve) => {
    const end = (answer) => () => { dialog.close(); resolve(answer); };
    at("confirm-yes").onclick = end(true);
    at("confirm-no").onclick = end(false);
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
    at("confirm-no").focus();
  });
}

if (token) signedIn();
else signOut();
