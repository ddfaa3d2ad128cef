/** Numbers from one page of this service to the tab that has the phone. */

const CHANNEL = "connector-phone";
const TAKEN_WITHIN_MS = 600;

/** Take numbers that other pages of the same user hand over. `dial` returns whether this tab takes it. */
export function takeNumbers(uid, dial) {
  const channel = new BroadcastChannel(`${CHANNEL}:${uid}`);
  channel.addEventListener("message", ({ data }) => {
    if (typeof data?.dial === "string" && dial(data.dial)) channel.postMessage({ taken: data.dial });
  });
  return channel;
}

/**
 * Hand a number to the tab that has the user's phone: whether one took it. Each user has a channel of their own, because
 * two can be logged in in tabs of one browser.
 */
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
