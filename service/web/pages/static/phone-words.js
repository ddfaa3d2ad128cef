/** What the page says when something is missing or fails: what happened, then what helps. Pure. */

export const SET_UP =
  "This browser gets a phone of its own. It rings with your other phones, and your desk phone stays as it is.";

const ENDED = {
  "Busy": "The line is busy.",
  "Rejected": "The call was refused.",
  "Not Found": "Nobody has this number.",
  "Unavailable": "No phone of this number can be reached.",
  "No Answer": "Nobody answered.",
  "Request Timeout": "The call server did not answer.",
  "Connection Error": "The connection to the call server was lost.",
  "Address Incomplete": "The number is incomplete.",
  "Incompatible SDP": "The phones have no audio codec in common.",
  "Authentication Error": "The call server refused this phone's password.",
  "RTP Timeout": "The sound stopped, so the call was ended.",
  "WebRTC Error": "The browser could not open the sound channel.",
  "User Denied Media Access": "The microphone was not allowed.",
  "Internal Error": "The browser could not make the call.",
};

/** Why a call ended. `by` is `local` or `remote`, `cause` a cause of JsSIP, `reason` the text of a Reason header. */
export function ended({ incoming, talked, by, cause, reason = "" }) {
  if (cause === "transferred") return "You transferred the call.";
  if (cause === "lost") return "The call was lost: the call server is away.";
  if (cause === "Terminated" || (talked && cause === "Canceled")) {
    return by === "local" ? "You hung up." : "The other party hung up.";
  }
  if (incoming && cause === "Canceled") {
    return /completed elsewhere/i.test(reason) ? "Answered on another phone." : "Missed call.";
  }
  if (cause === "Canceled") return "You hung up.";
  if (incoming && by === "local" && (cause === "Rejected" || cause === "Busy")) return "You refused the call.";
  if (incoming && (cause === "No Answer" || cause === "Expires")) return "Missed call.";
  return ENDED[cause] ?? "The call could not be made.";
}

/** Why there is no microphone. `name` is that of the browser's exception. */
export function microphone(name) {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "The microphone is not allowed. Allow it for this page beside the address bar, then call again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No microphone was found. Connect one, or choose another one under Devices.";
    case "NotReadableError":
    case "AbortError":
      return "The microphone cannot be used. Close the program that has it, then call again.";
    case "insecure":
      return "Browsers give the microphone to https pages only. Open this page by its https address.";
    default:
      return "The microphone cannot be used.";
  }
}

/** The line of the phone: a short word, and what it means. */
export function line({ state, number, since, online, serverLive, unreachable, code }) {
  if (state === "registered") {
    const behind = " The service does not see the call server at the moment, so the board may be behind.";
    const doubt = unreachable ? " The service is away; calls go on." : serverLive ? "" : behind;
    return { word: "Ready", text: `Calls to ${number} ring here.${doubt}` };
  }
  if (state === "stopped") return { word: "Off", text: "No calls ring here." };
  if (!online) return { word: "No network", text: "This computer is not connected to a network. The page goes on when it is." };
  if (state === "connecting") return { word: "Connecting", text: "The phone connects to the call server." };
  if (state === "refused") {
    return { word: "Refused", text: `The call server refused this phone (${code}). The page tries again; if it stays so, remove the phone and set it up again.` };
  }
  const both = unreachable ? "Neither the service nor the call server can be reached" : "The call server is away";
  return { word: unreachable ? "No connection" : "Call server away", text: `${both} since ${since}. The page tries again by itself.` };
}

/** Why no phone can be set up. `status` and `error` are those of the API's answer. */
export function setUp(status, error) {
  if (status === 404 || status === "no-extension") {
    return "You have no extension yet. An administrator assigns one: asterisk-connector extension assign NUMBER NAME.";
  }
  if (status === 409 && /Asterisk owns the endpoints/.test(error)) {
    return "The endpoints of your call server belong to Asterisk itself, so this page cannot make a phone there. An administrator adds "
      + "a WebRTC endpoint to Asterisk's configuration and imports it; a softphone then registers with it.";
  }
  if (status === 409 && /the maximum/.test(error)) return `You have as many phones as are allowed: ${error}.`;
  if (status === 429) return "Too many requests. Wait a minute, then try again.";
  if (status === 503) return "The service cannot reach its database. Try again in a moment.";
  if (status === 0) return "The service cannot be reached. Check the network, then try again.";
  return error ? `The phone was not set up: ${error}.` : "The phone was not set up.";
}

/** Why a browser does not connect to this address at all; empty if it does. */
export function blockedAddress(address, secureContext, https) {
  if (!secureContext) return microphone("insecure");
  const insecure = /^ws:/i.test(address);
  const loopback = /^ws:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:\/]|$)/i.test(address);
  if (https && insecure && !loopback) {
    return "The call server's address begins with ws:, which browsers block on https pages. An administrator sets WEBSOCKET_SCHEME to wss.";
  }
  return "";
}
