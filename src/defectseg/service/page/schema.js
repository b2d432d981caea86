// A JSON schema of the contract in, its type in words and an example out.

const DEEPEST = 6; // levels of an example

/** Follow a reference. @returns {any} */
export function resolve(/** @type {any} */ contract, /** @type {any} */ schema) {
  let found = schema ?? {};
  for (let k = 0; found.$ref && k < DEEPEST; k++) {
    found = found.$ref.slice(2).split("/").reduce((/** @type {any} */ part, /** @type {string} */ key) => part?.[key], contract) ?? {};
  }
  return found;
}

/** Such as `list of Defect`, `"rle" or "png"`, `integer ≥ 0`. @returns {string} */
export function typeOf(/** @type {any} */ contract, /** @type {any} */ schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.map((/** @type {any} */ each) => typeOf(contract, each)).join(" or ");
  if (schema.allOf?.length === 1) return typeOf(contract, schema.allOf[0]);
  if (schema.enum) return schema.enum.map((/** @type {any} */ each) => JSON.stringify(each)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(contract, schema.items ?? {})}`;
  if (schema.type === "object" && schema.additionalProperties) return `by name: ${typeOf(contract, schema.additionalProperties)}`;
  if (schema.format === "binary" || schema.contentMediaType) return "file";
  const bounds = [["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"]]
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, sign]) => ` ${sign} ${schema[key]}`);
  return (schema.type ?? "any") + bounds.join("");
}

/** A value of the schema. @returns {any} */
export function exampleOf(/** @type {any} */ contract, /** @type {any} */ given, depth = 0) {
  const schema = resolve(contract, given);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (depth > DEEPEST) return null;
  const part = (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.[0];
  if (part) return exampleOf(contract, part, depth + 1);
  if (schema.type === "array") return schema.items ? [exampleOf(contract, schema.items, depth + 1)] : [];
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([key, each]) => [key, exampleOf(contract, each, depth + 1)]));
  if (schema.type === "object") return {};
  return { string: "…", integer: 0, number: 0.5, boolean: false }[schema.type] ?? null;
}
