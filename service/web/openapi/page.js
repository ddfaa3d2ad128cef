"use strict";

// Everything is made of nodes and texts, never of HTML: what the description says is shown, not run.
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
// `code` within a text is the only mark-up that descriptions use.
const told = (text) => text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
const json = (value) => make("pre", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2));
const byId = (id) => document.getElementById(id);
const METHODS = ["get", "post", "put", "patch", "delete"];
let description;

const resolved = (part) =>
  part && part.$ref
    ? { ...part.$ref.slice(2).split("/").reduce((node, key) => node[key.replace(/~1/g, "/")], description), ...part, $ref: undefined }
    : part;

const nameOf = (schema) => (schema.$ref ? schema.$ref.split("/").pop() : typeOf(schema));
function typeOf(schema) {
  schema = resolved(schema);
  const choices = schema.anyOf || schema.allOf;
  if (choices) return choices.map(nameOf).join(schema.anyOf ? " or " : " and ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  if (schema.type === "object" && schema.title) return schema.title;
  return schema.format || schema.type || "anything";
}

const RULES = {
  minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "characters ≥",
  maxLength: "characters ≤", minItems: "items ≥", maxItems: "items ≤", pattern: "matches", default: "default",
};
function rulesOf(schema) {
  schema = resolved(schema);
  const said = (name) => (name === "pattern" ? schema[name] : JSON.stringify(schema[name]));
  return Object.keys(RULES).filter((name) => name in schema).map((name) => `${RULES[name]} ${said(name)}`).join(", ");
}

// Of what is sent, what must be there is marked; of what is answered, what may be missing.
const INPUT = { true: "required" }, ANSWER = { false: "may be absent" };
function row(name, schema, mark, about, level = 0) {
  const rules = rulesOf(schema);
  const words = about || resolved(schema).description || "";
  return make("tr", {},
    make("td", { class: `level${Math.min(level, 4)}` }, make("code", {}, name), mark ? make("span", { class: "needed" }, ` ${mark}`) : null),
    make("td", { class: "type" }, typeOf(schema), rules ? make("div", {}, rules) : null),
    make("td", {}, ...told(resolved(schema).type === "object" && !about ? "" : words)));
}

// The fields of an object, and of the objects within it, as rows.
function rowsOf(schema, marks, level = 0, above = []) {
  schema = resolved(schema);
  if (schema.type === "array") return rowsOf(schema.items || {}, marks, level, above);
  if (above.includes(schema.title) || level > 4) return [];
  const within = [...above, ...(schema.title ? [schema.title] : [])];
  const choices = (schema.anyOf || schema.allOf || []).filter((each) => resolved(each).properties);
  if (choices.length === 1) return rowsOf(choices[0], marks, level, above);
  if (choices.length) {
    return choices.flatMap((each) => [
      make("tr", {}, make("td", { colspan: "3", class: `level${Math.min(level, 4)} type` }, `${nameOf(each)}: `, ...told(resolved(each).description || ""))),
      ...rowsOf(each, marks, level + 1, above),
    ]);
  }
  const own = Object.entries(schema.properties || {});
  const rest = schema.additionalProperties && schema.additionalProperties !== true ? [["…", schema.additionalProperties]] : [];
  return [...own, ...rest].flatMap(([name, field]) => [
    row(name, field, name === "…" ? null : marks[(schema.required || []).includes(name)], null, level),
    ...rowsOf(field, marks, level + 1, within),
  ]);
}

function shapeOf(schema, marks) {
  const rows = rowsOf(schema, marks);
  return rows.length ? make("table", {}, ...rows) : make("p", { class: "type" }, typeOf(schema));
}

function content(kinds, marks) {
  return Object.entries(kinds || {}).flatMap(([kind, { schema, example, examples }], place) => [
    make("p", { class: "type" }, place ? `or ${kind}` : kind),
    place || example === undefined ? null : json(example),
    place ? null : shapeOf(schema, marks),
    ...Object.values(examples || {}).flatMap((each) => [make("p", {}, ...told(each.summary)), json(each.value)]),
  ]);
}

function answer(status, response) {
  response = resolved(response);
  const good = status < 400;
  const headers = Object.entries(response.headers || {}).map(([name, header]) =>
    row(name, resolved(header).schema, ANSWER[resolved(header).required], resolved(header).description));
  const parts = [make("summary", {}, make("b", {}, status), " ", ...told(response.description)), ...content(response.content, ANSWER),
    ...(headers.length ? [make("p", { class: "type" }, "Headers"), make("table", {}, ...headers)] : [])];
  return make("details", { class: `answer ${good ? "good" : "bad"}`, ...(good && status !== "304" ? { open: "" } : {}) }, ...parts);
}

const WHO = { token: "X-Auth-Token", uid: "X-User-Id", ticket: "ticket, in the query" };
function whoMay(security) {
  if (!security.length) return "Everybody may ask.";
  return `Needs ${security.map((all) => Object.keys(all).map((each) => WHO[each]).join(" and ")).join(", or ")}.`;
}

function trial(method, path, operation) {
  const fields = (operation.parameters || []).map((each) => {
    const input = make("input", { name: each.name, spellcheck: "false", value: each.example === undefined ? "" : String(each.example) });
    return { ...each, input };
  });
  const body = operation.requestBody && Object.values(operation.requestBody.content)[0];
  const text = body ? make("textarea", { rows: "5", spellcheck: "false", "aria-label": "body" }) : null;
  if (text) text.value = JSON.stringify(body.example === undefined ? {} : body.example, null, 2);
  const shown = make("div");
  const send = make("button", { type: "submit" }, "Send");
  const status = make("span", { class: "says", role: "status" });
  const form = make("form", { class: "try", autocomplete: "off" },
    ...fields.map(({ name, input }) => make("label", {}, make("code", {}, name), input)), text,
    make("div", {}, send, status));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    status.textContent = "…";
    shown.replaceChildren();
    try {
      const [answered, taken] = await ask(method, path, operation, fields, text);
      const words = await answered.text();
      status.textContent = `${answered.status} ${answered.statusText}, ${taken} ms`;
      shown.replaceChildren(json([...answered.headers].map(([name, value]) => `${name}: ${value}`).join("\n")), json(pretty(words)));
    } catch (error) {
      status.textContent = String(error);
    }
  });
  return make("div", {}, form, shown);
}

async function ask(method, path, operation, fields, text) {
  const query = new URLSearchParams();
  const headers = {};
  let target = path.slice(1);
  for (const { name, in: where, input } of fields) {
    if (where === "path") target = target.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value && where === "query") query.append(name, input.value);
    else if (input.value) headers[name] = input.value;
  }
  if (operation.security.length && byId("token").value) headers["X-Auth-Token"] = byId("token").value;
  if (operation.security.length && byId("uid").value) headers["X-User-Id"] = byId("uid").value;
  if (text) headers["Content-Type"] = "application/json";
  const begun = performance.now();
  const url = target + (query.size ? `?${query}` : "");
  const answered = await fetch(url, { method: method.toUpperCase(), headers, body: text ? text.value : undefined, cache: "no-store" });
  return [answered, Math.round(performance.now() - begun)];
}

function pretty(words) {
  try {
    return JSON.parse(words);
  } catch {
    return words;
  }
}

function shown(method, path, operation) {
  const parameters = (operation.parameters || []).map((each) => row(each.name, each.schema, INPUT[each.required], each.description));
  const streams = "text/event-stream" in (operation.responses["200"]?.content || {});
  const box = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, path),
      make("span", { class: "says" }, operation.summary)));
  // Filled when it is opened: most are not.
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    box.append(make("div", {},
      operation.description ? make("p", {}, ...told(operation.description)) : null,
      make("p", { class: "says" }, whoMay(operation.security)),
      ...(parameters.length ? [make("h3", {}, "Arguments"), make("table", {}, ...parameters)] : []),
      ...(operation.requestBody ? [make("h3", {}, "Body"), ...content(operation.requestBody.content, INPUT)] : []),
      make("h3", {}, "Answers"),
      ...Object.entries(operation.responses).map(([status, response]) => answer(status, response)),
      ...(streams ? [] : [make("h3", {}, "Try it"), trial(method, path, operation)])));
  });
  return box;
}

// What tells a call from its neighbours; the rest is in its headline.
const shortOf = (path) => path.replace(/^\/api\/v1\/(connector\.(extension\.)?|omnichannel\/|voip\/(queues\.)?)?/, "");

function openLinked() {
  const box = byId(decodeURIComponent(location.hash.slice(1)));
  if (box) {
    box.open = true;
    box.scrollIntoView();
  }
}

async function start() {
  description = await (await fetch("openapi.json")).json();
  const { title, version, description: about } = description.info;
  byId("about").append(make("h1", {}, title, make("small", {}, version)), ...about.trim().split("\n\n").map((each) => make("p", {}, ...told(each))),
    make("p", {}, make("a", { href: "openapi.json" }, "openapi.json")));
  for (const { name, description: words } of description.tags) {
    const section = make("section", {}, make("h2", {}, name), words ? make("p", {}, ...told(words)) : null);
    byId("contents").append(make("h2", {}, name));
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const method of METHODS.filter((each) => methods[each]?.tags[0] === name)) {
        section.append(shown(method, path, methods[method]));
        byId("contents").append(make("a", { href: `#${methods[method].operationId}`, title: methods[method].summary },
          make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", {}, shortOf(path))));
      }
    }
    byId("operations").append(section);
  }
  addEventListener("hashchange", openLinked);
  openLinked();
}

start().catch((error) => byId("operations").append(make("p", { role: "alert" }, `The description cannot be shown: ${error}`)));
