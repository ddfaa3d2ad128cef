// The header of each security scheme, the field that holds its value, and its variable in a curl line.
const CREDENTIALS = { token: ["X-Auth-Token", "TOKEN"], uid: ["X-User-Id", "USER_ID"] };
const credentialsOf = (operation) => Object.keys(CREDENTIALS).filter((scheme) => operation.security.some((all) => scheme in all));

function adopt(token, uid) {
  byId("token").value = token;
  byId("uid").value = uid;
  document.dispatchEvent(new Event("input"));
}

// A login that was sent from this page, whichever call it was, says who sends the next request.
function adoptFrom(path, answer) {
  if (path.endsWith("/login")) adopt(answer.data.authToken, answer.data.userId);
  else if (path.endsWith("/auth")) adopt(answer.payload.token, "");
  else if (path.endsWith("/logout")) adopt("", "");
}

const EMPTY = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} };
function emptyBody(schema) {
  schema = resolved(schema);
  if (schema.anyOf) return emptyBody(schema.anyOf[0]);
  return Object.fromEntries((schema.required || []).map((name) => [name, EMPTY[resolved(schema.properties[name]).type] ?? ""]));
}

// A GET starts with the example. A call that changes something starts empty, with its required fields only: an example
// must never hit a live user or extension by accident.
function inputsOf(operation, changes) {
  return (operation.parameters || []).map((each) => {
    const value = changes || each.example === undefined ? "" : String(each.example);
    const input = make("input", { name: each.name, value, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
    input.required = each.required;
    return { ...each, input };
  });
}

function bodyInput(operation, changes) {
  if (!operation.requestBody) return null;
  const { schema, example } = Object.values(operation.requestBody.content)[0];
  const text = make("textarea", { rows: "5", spellcheck: "false", "aria-label": "Body" });
  text.value = JSON.stringify(changes || example === undefined ? emptyBody(schema) : example, null, 2);
  return text;
}

// What the fields say: URL, headers without credentials, and body. An empty path parameter stays a word in capitals.
function requestOf({ method, path, inputs, text }) {
  const query = new URLSearchParams();
  const headers = {};
  let url = path.slice(1);
  for (const { name, in: where, input } of inputs) {
    if (where === "path") url = url.replace(`{${name}}`, encodeURIComponent(input.value || name.toUpperCase()));
    else if (input.value && where === "query") query.append(name, input.value);
    else if (input.value) headers[name] = input.value;
  }
  if (text) headers["Content-Type"] = "application/json";
  return { method: method.toUpperCase(), url: url + (query.size ? `?${query}` : ""), headers, body: text?.value };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The request for a shell. The token stands in it only where it is copied, so that a screenshot does not show it.
function curlLine(call, { secrets }) {
  const { method, url, headers, body } = requestOf(call);
  const who = credentialsOf(call.operation).map((scheme) => {
    const [header, variable] = CREDENTIALS[scheme];
    const value = secrets || scheme !== "token" ? byId(scheme).value : "";
    return value ? quoted(`${header}: ${value}`) : `"${header}: $${variable}"`;
  });
  const options = call.streams ? "-N " : method === "GET" ? "" : `-X ${method} `;
  const parts = [
    `curl ${options}${quoted(new URL(url, document.baseURI).href)}`,
    ...[...who, ...Object.entries(headers).map(([name, value]) => quoted(`${name}: ${value}`))].map((each) => `-H ${each}`),
    ...(body === undefined ? [] : [`-d ${quoted(body.replace(/\s*\n\s*/g, " "))}`]),
  ];
  return parts.join(" \\\n  ");
}

async function send(call) {
  const { method, url, headers, body } = requestOf(call);
  for (const scheme of credentialsOf(call.operation)) {
    if (byId(scheme).value) headers[CREDENTIALS[scheme][0]] = byId(scheme).value;
  }
  const started = performance.now();
  const response = await fetch(url, { method, headers, body, cache: "no-store", credentials: "omit" });
  const answer = parsed(await response.text());
  if (response.ok) adoptFrom(call.path, answer);
  return { response, answer, line: `${response.status} ${response.statusText}, ${Math.round(performance.now() - started)} ms` };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS there is no clipboard API.
    const area = make("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
