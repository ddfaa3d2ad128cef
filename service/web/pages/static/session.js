// Who is logged in. `ask` sends a request as them; where the token has ended, it asks the person to log in, and goes on.
//
// The token is in sessionStorage, and in localStorage only if the person asked to stay logged in.

import { $, h } from "./dom.js";

const KEY = "connector.session";
const API = new URL("api/v1/", document.baseURI);
const ENDED = "Your session has ended. Log in to go on.";
const WRONG = "The name or the password is wrong.";
const AWAY = "The service does not answer. Try again in a moment.";
const REFUSED = { 401: WRONG, 429: "Too many attempts. Try again in a minute." };

const stores = () => [sessionStorage, localStorage];
let current = stored();
let lastUser = current?.userId;
let login = null; // the promise of the open login form

function stored() {
  for (const store of stores()) {
    try {
      const found = JSON.parse(store.getItem(KEY));
      if (typeof found?.authToken === "string" && typeof found.userId === "string") return found;
    } catch {
      // not ours
    }
  }
  return null;
}

// The logged-in user, `{userId, authToken, name}`, or null.
export const session = () => current;

export const authHeaders = () => ({ "X-Auth-Token": current.authToken, "X-User-Id": current.userId });

// The user, once somebody is logged in. `reason`: a sentence for the login form.
export function loggedIn(reason = "") {
  if (current) return Promise.resolve(current);
  login ??= new Promise((done) => showLogin(reason, done)).finally(() => (login = null));
  return login;
}

// A response to a request under /api/v1/ as the user. A 401 leads to the login, and then to the same request again.
// Throws the error of `fetch` while the service is away.
export async function ask(path, { body, headers = {}, ...options } = {}) {
  for (;;) {
    const { authToken } = await loggedIn();
    const sent = { ...options, headers: { ...headers, ...authHeaders() }, cache: "no-store" };
    if (body !== undefined) {
      sent.body = JSON.stringify(body);
      sent.headers["Content-Type"] = "application/json";
    }
    const response = await fetch(new URL(path, API), sent);
    if (response.status !== 401) return response;
    if (current?.authToken === authToken) forget();
    await loggedIn(ENDED);
  }
}

// The token ends on the server too, if that answers.
export async function logOut() {
  const headers = current && authHeaders();
  forget();
  if (headers) await fetch(new URL("logout", API), { method: "POST", headers }).catch(() => {});
  location.reload();
}

function forget() {
  current = null;
  for (const store of stores()) store.removeItem(KEY);
}

// Somebody who logs out in one tab is logged out in all that share the token.
addEventListener("storage", (event) => {
  if (event.key === KEY && event.newValue === null && current && !stored()) location.reload();
});

async function logIn(user, password, stay) {
  const response = await fetch(new URL("login", API), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, password }),
    cache: "no-store",
  }).catch(() => null);
  if (!response?.ok) return (response && REFUSED[response.status]) || AWAY;
  const { data } = await response.json();
  current = { userId: data.userId, authToken: data.authToken, name: data.me.username };
  (stay ? localStorage : sessionStorage).setItem(KEY, JSON.stringify(current));
  return "";
}

function showLogin(reason, done) {
  const error = h("p", { class: "error", role: "alert" });
  const user = h("input", { id: "login-user", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const password = h("input", { id: "login-password", type: "password", autocomplete: "current-password", required: true });
  const stay = h("input", { id: "login-stay", type: "checkbox" });
  const button = h("button", { type: "submit", class: "primary" }, "Log in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = await logIn(user.value, password.value, stay.checked);
    button.disabled = false;
    if (error.textContent) return password.select();
    if (lastUser && lastUser !== current.userId) return location.reload(); // what is on the page is somebody else's
    lastUser = current.userId;
    dialog.remove();
    showAccount();
    done(current);
  };
  const form = h(
    "form",
    { onsubmit: submit },
    h("img", { src: $('link[rel="icon"]').href, alt: "" }),
    h("h1", { id: "login-title" }, "Log in"),
    h("p", { class: "reason" }, reason),
    h("label", { for: "login-user" }, "Name or e-mail"),
    user,
    h("label", { for: "login-password" }, "Password"),
    password,
    h("label", { class: "check" }, stay, "Stay logged in on this computer"),
    error,
    button,
  );
  const dialog = h("dialog", { class: "login", "aria-labelledby": "login-title" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => dialog.isConnected && dialog.showModal()); // a second Escape closes it all the same
  document.body.append(dialog);
  dialog.showModal();
  user.focus();
}

// The user's name and the button to log out, in the element #account.
export function showAccount() {
  $("#account")?.replaceChildren(
    h("bdi", {}, current?.name ?? ""),
    h("button", { type: "button", onclick: logOut }, "Log out"),
  );
}
