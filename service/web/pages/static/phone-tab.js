/** One tab of a browser has the phone. The others see it, may take it over, and hand numbers to it. */

const CHANNEL = "connector-phone";
const TAKEN_WITHIN_MS = 600;

/**
 * Hold the phone of a user for this tab. `on` gets `held` (this tab has it), `elsewhere` (another one has it; this one
 * waits and gets it when that one ends) and `lost` (another one took it). Returns a function that takes it at once.
 */
export function holdPhone(uid, on) {
  const name = `connector-phone:${uid}`;
  const keep = () => new Promise(() => on("held"));
  wait(name, keep, on);
  return () => navigator.locks.request(name, { steal: true }, keep).catch(() => on("lost"));
}

async function wait(name, keep, on) {
  const found = await navigator.locks.query();
  if (found.held.some((lock) => lock.name === name)) on("elsewhere");
  for (;;) await navigator.locks.request(name, keep).catch(() => on("lost"));
}

/** Take numbers that other pages of the same user hand over. `dial` returns whether this tab takes it. */
export function takeNumbers(uid, dial) {
  const channel = new BroadcastChannel(`${CHANNEL}:${uid}`);
  channel.addEventListener("message", ({ data }) => {
    if (typeof data?.dial === "string" && dial(data.dial)) channel.postMessage({ taken: data.dial });
  });
  return channel;
}

/** Hand a number to the tab that has the user's phone: whether one took it. */
export function handOver(uid, number) {
  const channel = new BroadcastChannel(`${CHANNEL}:${uid}`);
  return new Promise((done) => {
    const end = (taken) => (channel.close(), done(taken));
    const timer = setTimeout(end, TAKEN_WITHIN_MS, false);
    channel.addEventListener("message", ({ data }) => {
      if (data?.taken === number) clearTimeout(timer), end(true);
    });
    channel.postMessage({ dial: number });
  });
}
