/** Numbers and durations, as people write and read them. Pure. */

export const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const DIALLED = /^[0-9A-Za-z*#+_-]{1,64}$/;

/** The number without what people put between digits; null for what cannot be dialled. */
export function dialled(text) {
  const number = String(text ?? "").replace(/[\s().\/\u00a0\u2010-\u2015]/gu, "");
  return DIALLED.test(number) ? number : null;
}

/** The SIP URI of a number at a host. `host` may be an IPv6 address without brackets. */
export function sipUri(number, host) {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `sip:${encodeURIComponent(number).replaceAll("*", "%2A")}@${bracketed}`;
}

/** 65 seconds as 1:05, 3,725 as 1:02:05. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** The time of day on the reader's clock. */
export function clock(at) {
  return at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** What a person calls a peer: name and number, or the one that is known. */
export function peer({ name, number }) {
  if (!number || number.toLowerCase() === "anonymous") return name && name !== number ? name : "Withheld number";
  return name && name !== number ? `${name}, ${number}` : number;
}
