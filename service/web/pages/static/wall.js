// The board on a screen: a one-time code instead of a login, and type as large as everything fits.

import { $, h } from "./dom.js";

const KEY = "connector.screen";
const API = new URL("api/v1/", document.baseURI);
const ENDED = "The access of this screen has ended. Enter a new code.";
const [LEAST_PX, MOST_PX] = [11, 34];

let token = stored();
let entering = null;

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return typeof found?.authToken === "string" && typeof found.userId === "string" ? found : null;
  } catch {
    return null;
  }
}

// Wait until this screen may see the board.
export function screenIn(reason = "") {
  if (token) return Promise.resolve();
  entering ??= new Promise((done) => enter(reason, done)).finally(() => (entering = null));
  return entering;
}

// As `ask` of session.js, for the screen.
export async function askAsScreen(path, { headers = {}, ...options } = {}) {
  for (;;) {
    await screenIn();
    const sent = token;
    const authorised = { ...headers, "X-Auth-Token": sent.authToken, "X-User-Id": sent.userId };
    const response = await fetch(new URL(path, API), { ...options, headers: authorised, cache: "no-store" });
    if (response.status !== 401) return response;
    if (token === sent) {
      token = null;
      localStorage.removeItem(KEY);
    }
    await screenIn(ENDED);
  }
}

async function redeem(code) {
  const response = await fetch(new URL("board/tokens", API), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
    cache: "no-store",
  }).catch(() => null);
  if (response?.status === 429) return "Too many attempts. Try again in a minute.";
  if (response && response.status < 500 && !response.ok) return "This code is not valid: it works once, and not for long.";
  if (!response?.ok) return "The service does not answer. Try again in a moment.";
  const { userId, authToken } = await response.json();
  token = { userId, authToken };
  localStorage.setItem(KEY, JSON.stringify(token));
  return "";
}

function enter(reason, done) {
  const error = h("p", { class: "error", role: "alert" });
  const code = h("input", { id: "screen-code", required: true, autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false" });
  const submit = async (event) => {
    event.preventDefault();
    error.textContent = await redeem(code.value.trim());
    if (error.textContent) return code.select();
    dialog.remove();
    done();
  };
  const form = h(
    "form",
    { onsubmit: submit },
    h("img", { src: $('link[rel="icon"]').href, alt: "" }),
    h("h1", { id: "screen-title" }, "Board on a screen"),
    h("p", { class: "reason" }, reason),
    h("label", { for: "screen-code" }, "One-time code"),
    code,
    h("p", { class: "note" }, "An administrator gets a code on the board, by “Show on a screen”."),
    error,
    h("button", { type: "submit", class: "primary" }, "Show the board"),
  );
  const dialog = h("dialog", { class: "login", "aria-labelledby": "screen-title" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  code.focus();
}

let fitted = "";

// Choose the largest type with which everything is on the screen. The grid lays itself out again by its size.
export function fit(grid) {
  const wanted = [grid.groups.map(([, entries]) => entries.length), document.querySelectorAll("#queues li").length, innerWidth, innerHeight].join();
  if (wanted === fitted) return;
  fitted = wanted;
  const root = document.documentElement;
  const fits = (size) => {
    root.style.fontSize = `${size}px`;
    grid.layout();
    return root.scrollHeight <= innerHeight;
  };
  let [low, high] = [LEAST_PX, MOST_PX];
  while (high - low > 0.5) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  fits(low);
}
