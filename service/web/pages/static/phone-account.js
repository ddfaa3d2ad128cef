/** The person's phone of this browser: made, found again and watched through the API. Nothing here knows SIP. */

const PHONES = "phones";
const INFO = "connector.extension.getRegistrationInfoByUserId";
const REMEMBERED = "connector.phone.";
const WAIT_S = 25;
const RETRY_MS = [1000, 2000, 5000, 10000, 15000];

/** An answer of the API that is no success. `status` 0: there was none. */
export class Refused extends Error {
  constructor(status, error = "") {
    super(error || `HTTP ${status}`);
    this.status = status;
    this.error = error;
  }
}

export class Account {
  #ask;
  #follow;

  /**
   * `ask` requests a path of the API and leads to the login when the token has ended; `follow` answers the 401 instead,
   * as a call may be under way. `uid` is the user's id.
   */
  constructor({ ask, follow, uid }) {
    this.#ask = ask;
    this.#follow = follow;
    this.uid = uid;
  }

  /** The id of this browser's phone, or null. The SIP password is never stored: registration info answers it. */
  get remembered() {
    const id = Number(localStorage.getItem(REMEMBERED + this.uid));
    return Number.isSafeInteger(id) && id > 0 ? id : null;
  }

  remember(id) {
    if (id === null) localStorage.removeItem(REMEMBERED + this.uid);
    else localStorage.setItem(REMEMBERED + this.uid, String(id));
  }

  /** The person's phones of kind `browser`, and their number; `number` is null without an extension. */
  async look() {
    const { extension } = await this.#json("me");
    const { phones } = await this.#json(PHONES);
    return { number: extension ?? null, phones: phones.filter((phone) => phone.kind === "browser") };
  }

  /** A new phone, which this browser remembers. */
  async make(label) {
    const { phone } = await this.#json(PHONES, { method: "POST", body: { kind: "browser", label } });
    this.remember(phone.id);
    return phone;
  }

  async remove(id) {
    if (id === this.remembered) this.remember(null);
    await this.#json(`${PHONES}/${id}`, { method: "DELETE" });
  }

  /** What the phone registers with, now. */
  async info(id) {
    return (await this.#poll(this.#ask, id, {})).info;
  }

  /**
   * Follow the phone until `signal` ends it. `on` gets `{info, live}` at each change, `{unreachable: true}` when the
   * service is away, and a last `{ended: status}` when the token (401), the right (403) or the phone (404) has ended.
   */
  async watch(id, signal, on) {
    let [etag, failures] = [null, 0];
    while (!signal.aborted) {
      try {
        const news = await this.#poll(this.#follow, id, { etag, signal });
        if (signal.aborted) return;
        failures = 0;
        etag = news.etag;
        on({ unreachable: false, ...news });
      } catch (error) {
        if (signal.aborted) return;
        if ([401, 403, 404].includes(error.status)) return on({ ended: error.status });
        on({ unreachable: true });
        await pause(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)], signal);
      }
    }
  }

  async #poll(ask, id, { etag = null, signal }) {
    const query = new URLSearchParams({ id: this.uid, phone: id, ...(etag ? { wait: WAIT_S } : {}) });
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await answer(ask, `${INFO}?${query}`, { headers, signal });
    const told = { etag: response.headers.get("ETag"), live: response.headers.get("X-State-Live") === "true" };
    if (response.status === 304) return { ...told, etag, info: null };
    return { ...told, info: unsigned(await response.json()) };
  }

  async #json(path, options = {}) {
    return (await answer(this.#ask, path, options)).json();
  }
}

/** A successful answer, or 304. Throws Refused. */
async function answer(ask, path, options) {
  let response;
  try {
    response = await ask(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  if (response.ok || response.status === 304) return response;
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error ?? told.message ?? "");
}

/** Registration info, also from a response that is signed: the claim `context` holds it. */
export function unsigned(answer) {
  if (typeof answer.result !== "string") return answer;
  const part = answer.result.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)).context;
}

/** What this browser is called in the list of phones, such as `Chrome on Linux`. */
export function browserName(agent = navigator.userAgent) {
  const browsers = { Edg: "Edge", OPR: "Opera", Firefox: "Firefox", Chrome: "Chrome", Safari: "Safari" };
  const systems = { Android: "Android", iPhone: "iOS", iPad: "iOS", Windows: "Windows", "Mac OS": "macOS", Linux: "Linux" };
  const found = (names) => names[Object.keys(names).find((name) => agent.includes(name))];
  const [browser, system] = [found(browsers) ?? "Browser", found(systems)];
  return system ? `${browser} on ${system}` : browser;
}

function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
    addEventListener("online", done, { once: true });
  });
}
