/** One tab of a browser has the phone. The others see it, and may take it over. */

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
