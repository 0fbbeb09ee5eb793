// The server's description of itself, to read.

import { get } from "./api.js";
import { formatCount, make } from "./dom.js";

const LARGEST = Number.MAX_SAFE_INTEGER;
const METHODS = ["get", "post"];

function typeOf(schema = {}) {
  const parts = schema.anyOf?.filter((one) => one.type !== "null").map(typeOf);
  if (parts) return parts.join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.type === "array") return `${typeOf(schema.items)}, may be repeated`;
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  const limits = [schema.minimum !== undefined ? `from ${schema.minimum}` : "", schema.maximum < LARGEST ? `to ${schema.maximum}` : ""];
  return [schema.type ?? "anything", ...limits].filter(Boolean).join(" ");
}

function table(rows) {
  return make("table", {}, make("tbody", {}, ...rows.map(([name, type, about]) =>
    make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text: type }), make("td", { text: about })))));
}

function sectionOf(method, path, operation) {
  const parameters = (operation.parameters ?? []).map(({ name, schema, required, description }) =>
    [name, `${typeOf(schema)}${required ? ", needed" : ""}`, description ?? schema?.description ?? ""]);
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => `${type}${schema ? `: ${typeOf(schema)}` : ""}`);
  const answer = Object.values(operation.responses?.[200]?.content ?? {}).map(({ schema }) => typeOf(schema)).join(", ");
  const name = `${method.toUpperCase()} ${path}`;
  return make("section", { label: name },
    make("h2", {}, make("span", { text: method.toUpperCase() }), path),
    make("p", { text: operation.description ?? operation.summary ?? "" }),
    bodies.length ? make("p", { text: `Body: ${bodies.join("; ")}` }) : null,
    answer && answer !== "anything" ? make("p", { text: `Answers with: ${answer}` }) : null,
    parameters.length ? make("details", { open: parameters.length < 6 }, make("summary", { text: formatCount(parameters.length, "parameter") }), table(parameters)) : null);
}

function recordOf([name, { properties = {}, description = "", required = [] }]) {
  const rows = Object.entries(properties).map(([field, schema]) => [field, `${typeOf(schema)}${required.includes(field) ? "" : ", may be left out"}`, schema.description ?? ""]);
  return make("section", { label: name }, make("h2", { text: name }), make("p", { text: description }), rows.length ? table(rows) : null);
}

async function run() {
  const main = document.querySelector("main");
  try {
    const { paths, components } = await get("openapi.json");
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of METHODS) if (operations[method]) main.append(sectionOf(method, path, operations[method]));
    }
    main.append(make("h1", { text: "Records" }), ...Object.entries(components?.schemas ?? {}).filter(([name]) => !/Validation/.test(name)).map(recordOf));
  } catch (error) {
    document.getElementById("error").textContent = error.message;
  }
}

run();
