const METHODS = ["get", "post", "put", "patch", "delete"];

function responseOf(status, response) {
  response = resolved(response);
  const good = status < 400;
  const headers = Object.entries(response.headers || {}).map(([name, header]) =>
    row(name, resolved(header).schema, RESPONSE[resolved(header).required], resolved(header).description));
  return make("details", { class: `response ${good ? "good" : "bad"}`, ...(good && status !== "304" ? { open: "" } : {}) },
    make("summary", {}, make("b", {}, status), " ", ...withCode(response.description)),
    ...content(response.content, RESPONSE),
    ...(headers.length ? [make("p", { class: "type" }, "Headers"), make("table", {}, ...headers)] : []));
}

const SCHEMES = { token: "X-Auth-Token", uid: "X-User-Id", ticket: "ticket (query)" };
function authenticationOf(security) {
  if (!security.length) return "No authentication.";
  return `Requires ${security.map((all) => Object.keys(all).map((each) => SCHEMES[each]).join(" and ") || "a loopback connection").join(", or ")}.`;
}

function trial(method, path, operation) {
  const changes = method !== "get";
  const streams = "text/event-stream" in (operation.responses["200"]?.content || {});
  const call = { method, path, operation, streams, inputs: inputsOf(operation, changes), text: bodyInput(operation, changes) };
  const curl = block("", "curl line");
  curl.classList.add("curl");
  const refresh = () => { curl.textContent = curlLine(call, { secrets: false }); };
  document.addEventListener("input", refresh);
  refresh();
  const status = make("span", { role: "status" });
  const copying = make("button", { type: "button", class: "copy" }, "Copy curl line");
  copying.addEventListener("click", async () => {
    await copy(curlLine(call, { secrets: true }));
    status.textContent = "Copied, with the token if one is given.";
  });
  const output = make("div");
  const form = make("form", { class: "try", autocomplete: "off" },
    ...call.inputs.map(({ name, input }) => make("label", {}, make("code", {}, name), input)), call.text, curl,
    make("div", {}, streams ? null : make("button", { type: "submit", class: method }, `Send ${method.toUpperCase()}`), copying, status));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (streams) return;
    status.textContent = "…";
    output.replaceChildren();
    try {
      const { response, answer, line } = await send(call);
      status.textContent = line;
      output.append(block([...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"), "Headers"), jsonBlock(answer, "Body"));
    } catch (error) {
      status.textContent = String(error);
    }
  });
  return [form, output];
}

function operationBox(method, path, operation) {
  const parameters = (operation.parameters || []).map((each) => row(each.name, each.schema, REQUEST[each.required], each.description));
  const box = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, path),
      make("span", { class: "about" }, operation.summary)));
  // Filled when it is opened: most are not.
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    box.append(make("div", {},
      operation.description ? make("p", {}, ...withCode(operation.description)) : null,
      make("p", { class: "about" }, authenticationOf(operation.security)),
      ...(parameters.length ? [make("h3", {}, "Parameters"), make("table", {}, ...parameters)] : []),
      ...(operation.requestBody ? [make("h3", {}, "Body"), ...content(operation.requestBody.content, REQUEST)] : []),
      make("h3", {}, "Responses"),
      ...Object.entries(operation.responses).map(([status, response]) => responseOf(status, response)),
      make("h3", {}, "Try it"), ...trial(method, path, operation)));
  });
  return box;
}

// What tells a call from its neighbours; the rest is in its headline.
const shortOf = (path) => path.replace(/^\/api\/v1\/(connector\.(extension\.)?|omnichannel\/|voip\/(queues\.)?)?/, "");

function openLinked(hash = location.hash) {
  const box = byId(decodeURIComponent(hash.slice(1)));
  showMenu(false);
  if (!box?.matches("details")) return;
  box.open = true;
  box.scrollIntoView();
  box.querySelector("summary").focus({ preventScroll: true });
}

function showMenu(open) {
  byId("menu").setAttribute("aria-expanded", String(open));
}

async function login(event) {
  event.preventDefault();
  const status = byId("caller").querySelector("[role=status]");
  const text = { value: JSON.stringify({ user: byId("user").value, password: byId("password").value }) };
  await report(status, { method: "post", path: "/api/v1/login", operation: { security: [] }, inputs: [], text });
}

async function logout(event) {
  event.preventDefault();
  const status = byId("caller").querySelector("[role=status]");
  const operation = description.paths["/api/v1/logout"].post;
  await report(status, { method: "post", path: "/api/v1/logout", operation, inputs: [], text: null });
}

async function report(status, call) {
  try {
    const { response, line } = await send(call);
    if (response.ok) byId("password").value = "";
    status.textContent = line;
  } catch (error) {
    status.textContent = String(error);
  }
}

async function start() {
  description = await (await fetch("openapi.json")).json();
  const { title, version, description: about } = description.info;
  byId("about").append(make("h1", {}, title, make("small", {}, version)), ...about.trim().split("\n\n").map((each) => make("p", {}, ...withCode(each))),
    make("p", {}, make("a", { href: "openapi.json" }, "openapi.json")));
  for (const { name, description: text } of description.tags) {
    const section = make("section", {}, make("h2", {}, name), text ? make("p", {}, ...withCode(text)) : null);
    byId("contents").append(make("h2", {}, name));
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const method of METHODS.filter((each) => methods[each]?.tags[0] === name)) {
        section.append(operationBox(method, path, methods[method]));
        byId("contents").append(make("a", { href: `#${methods[method].operationId}`, title: methods[method].summary },
          make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", {}, shortOf(path))));
      }
    }
    byId("operations").append(section);
  }
  byId("login").addEventListener("submit", login);
  byId("tokens").addEventListener("submit", logout);
  byId("menu").addEventListener("click", () => showMenu(byId("menu").getAttribute("aria-expanded") === "false"));
  byId("contents").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) openLinked(link.hash);
  });
  addEventListener("hashchange", () => openLinked());
  openLinked();
}

start().catch((error) => byId("operations").append(make("p", { role: "alert" }, `The description cannot be shown: ${error}`)));
