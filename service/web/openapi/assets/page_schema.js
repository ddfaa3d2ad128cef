"use strict";

// Everything is built from nodes and texts, never from HTML: the description is shown, not run.
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
// `code` is the only mark-up in the description's texts.
const withCode = (text) => text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
const byId = (id) => document.getElementById(id);
// A block that may scroll takes the focus, so that the keyboard can scroll it.
const block = (text, name) => make("pre", { tabindex: "0", role: "group", "aria-label": name }, text);
const jsonBlock = (value, name) => block(typeof value === "string" ? value : JSON.stringify(value, null, 2), name);
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
  if (schema.type === "array") return `array of ${typeOf(schema.items || {})}`;
  if (schema.type === "object" && schema.title) return schema.title;
  return schema.format || schema.type || "any";
}

const CONSTRAINTS = {
  minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "length ≥",
  maxLength: "length ≤", minItems: "items ≥", maxItems: "items ≤", pattern: "pattern", default: "default",
};
function constraintsOf(schema) {
  schema = resolved(schema);
  const value = (name) => (name === "pattern" ? schema[name] : JSON.stringify(schema[name]));
  return Object.keys(CONSTRAINTS).filter((name) => name in schema).map((name) => `${CONSTRAINTS[name]} ${value(name)}`).join(", ");
}

// A request marks its required fields, a response its optional ones.
const REQUEST = { true: "required" }, RESPONSE = { false: "optional" };
function row(name, schema, mark, about, level = 0) {
  const constraints = constraintsOf(schema);
  const text = about || resolved(schema).description || "";
  return make("tr", {},
    make("td", { class: `level${Math.min(level, 4)}` }, make("code", {}, name), mark ? make("span", { class: "mark" }, ` ${mark}`) : null),
    make("td", { class: "type" }, typeOf(schema), constraints ? make("div", {}, constraints) : null),
    make("td", {}, ...withCode(resolved(schema).type === "object" && !about ? "" : text)));
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
      make("tr", {}, make("td", { colspan: "3", class: `level${Math.min(level, 4)} type` }, `${nameOf(each)}: `, ...withCode(resolved(each).description || ""))),
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

function schemaTable(schema, marks) {
  const rows = rowsOf(schema, marks);
  return rows.length ? make("table", {}, ...rows) : make("p", { class: "type" }, typeOf(schema));
}

function content(mediaTypes, marks) {
  return Object.entries(mediaTypes || {}).flatMap(([mediaType, { schema, example, examples }], place) => [
    make("p", { class: "type" }, place ? `or ${mediaType}` : mediaType),
    place || example === undefined ? null : jsonBlock(example, "Example"),
    place ? null : schemaTable(schema, marks),
    ...Object.values(examples || {}).flatMap((each) => [make("p", {}, ...withCode(each.summary)), jsonBlock(each.value, "Example")]),
  ]);
}
