// /openapi.json in, the contract to be read out: addresses, their parts, replies, shapes, failures.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";
import { PAGE_ERRORS, SERVICE_ERRORS } from "./errors.js";
import { exampleOf, resolve, typeOf } from "./schema.js";

/** A table in a frame that scrolls by itself. */
function table(/** @type {string[]} */ heads, /** @type {(string | Node)[][]} */ rows) {
  const told = heads.map((_, k) => rows.some((cells) => cells[k] !== "")); // an empty column tells nothing
  const keep = (/** @type {any[]} */ cells) => cells.filter((_, k) => told[k]);
  const head = make("tr", {}, ...keep(heads).map((text) => make("th", { scope: "col", text })));
  const body = rows.map(keep).map((cells) => make("tr", {}, ...cells.map((cell, k) => make("td", { class: k === 0 ? "code" : "" }, cell))));
  return make("div", { class: "frame", tabindex: 0 }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

/** One address with one method. */
function operation(/** @type {any} */ contract, /** @type {string} */ path, /** @type {string} */ method, /** @type {any} */ facts) {
  const parts = [
    make("h2", { class: "address" }, make("span", { class: `method ${method}`, text: method.toUpperCase() }), make("span", { class: "code", text: path })),
    make("p", { text: facts.description ?? facts.summary ?? "" }),
  ];
  if (facts.parameters?.length) parts.push(make("h3", { text: "Parameters" }), parameters(contract, facts.parameters));
  for (const [kind, { schema }] of Object.entries(facts.requestBody?.content ?? {})) {
    parts.push(make("h3", { text: `Body: ${kind}` }), fields(contract, resolve(contract, schema)));
  }
  parts.push(make("h3", { text: "With curl" }), make("pre", { tabindex: 0, text: curl(contract, path, method, facts) }));
  parts.push(make("h3", { text: "Replies" }), ...Object.entries(facts.responses ?? {}).map(([status, reply]) => response(contract, status, resolve(contract, reply))));
  return make("section", { id: anchor(method, path) }, ...parts);
}

function parameters(/** @type {any} */ contract, /** @type {any[]} */ list) {
  return table(["Name", "In", "Type", "Default", "Meaning"], list.map((each) => {
    const one = resolve(contract, each);
    const schema = resolve(contract, one.schema);
    return [one.name, one.in, typeOf(contract, one.schema), schema.default === undefined ? "" : JSON.stringify(schema.default), one.description ?? schema.description ?? ""];
  }));
}

function fields(/** @type {any} */ contract, /** @type {any} */ schema) {
  const required = new Set(schema.required ?? []);
  return table(["Field", "Type", "Needed", "Meaning"], Object.entries(schema.properties ?? {}).map(([name, each]) => {
    return [name, typeOf(contract, each), required.has(name) ? "yes" : "", resolve(contract, each).description ?? each.description ?? ""];
  }));
}

function response(/** @type {any} */ contract, /** @type {string} */ status, /** @type {any} */ reply) {
  const [kind, content] = Object.entries(reply.content ?? {})[0] ?? ["", null];
  const summary = make("summary", { text: `${status} ${reply.description ?? ""}` });
  if (!content) return make("details", {}, summary);
  const example = content.example ?? Object.values(content.examples ?? {})[0]?.value ?? exampleOf(contract, content.schema ?? {});
  const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  return make("details", { open: status === "200" }, summary, make("p", { class: "soft", text: `${kind} ${typeOf(contract, content.schema ?? {})}` }), make("pre", { tabindex: 0, text }));
}

/** A command that can be pasted. */
function curl(/** @type {any} */ contract, /** @type {string} */ path, /** @type {string} */ method, /** @type {any} */ facts) {
  const body = facts.requestBody?.content?.["multipart/form-data"];
  const properties = Object.entries(body ? (resolve(contract, body.schema).properties ?? {}) : {});
  const files = properties.filter(([, each]) => /binary|octet|file/.test(JSON.stringify(each)));
  const sent = files.flatMap(([name, each]) => (each.type === "array" ? [`-F ${name}=@tile1.jpg`, `-F ${name}=@tile2.jpg`] : [`-F ${name}=@tile.jpg`]));
  const secret = facts.security ? ["-H 'Authorization: Bearer '\"$DEFECTSEG_ADMIN_TOKEN\""] : [];
  return ["curl", ...(method === "get" ? [] : [`-X ${method.toUpperCase()}`]), ...secret, ...sent, location.origin + path].join(" ");
}

function shapes(/** @type {any} */ contract) {
  return Object.entries(contract.components?.schemas ?? {}).map(([name, schema]) => make("section", { id: `schema-${name}` },
    make("h2", { class: "code", text: name }),
    make("p", { text: schema.description ?? "" }),
    schema.properties ? fields(contract, schema) : make("p", { class: "code", text: typeOf(contract, schema) })));
}

function failures() {
  const rows = Object.entries(SERVICE_ERRORS).map(([code, each]) => [code, String(each.status), each.retryable ? "yes" : "", `${each.title}. ${each.todo}`]);
  const envelope = { error: { code: "QUEUE_FULL", message: "…", request_id: "…", retryable: true } };
  return make("section", { id: "failures" }, make("h2", { text: "Failures" }),
    make("p", { text: "Every failure has one shape; codes are never renamed. Where “again” says yes the same request may succeed later; the header Retry-After says after how many seconds." }),
    make("pre", { tabindex: 0, text: JSON.stringify(envelope) }), make("h3", { text: "Codes" }), table(["Code", "Status", "Again", "Meaning for a person"], rows));
}

function anchor(/** @type {string} */ method, /** @type {string} */ path) {
  return `${method}-${path.replace(/[^a-z0-9]+/gi, "-")}`;
}

/** Build the page. */
async function show() {
  const contract = await ask("/openapi.json").catch(() => null);
  if (!contract) {
    const { title, todo } = PAGE_ERRORS.NETWORK;
    byId("wait").textContent = `${title}. ${todo}`;
    return;
  }
  byId("version").textContent = `version ${contract.info?.version ?? "unknown"}`;
  const operations = Object.entries(contract.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, facts]) => ({ path, method, facts })));
  const names = Object.keys(contract.components?.schemas ?? {});
  const link = (/** @type {string} */ id, /** @type {string} */ text) => make("a", { href: `#${id}`, text });
  byId("contents").append(
    make("h2", { text: "Addresses" }), ...operations.map(({ path, method }) => link(anchor(method, path), `${method.toUpperCase()} ${path}`)),
    make("h2", { text: "Failures" }), link("failures", "All codes"),
    make("h2", { text: "Shapes" }), ...names.map((name) => link(`schema-${name}`, name)));
  byId("main").replaceChildren(make("section", {}, make("p", { text: contract.info?.description ?? "" })),
    ...operations.map(({ path, method, facts }) => operation(contract, path, method, facts)), failures(), ...shapes(contract));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

show();
