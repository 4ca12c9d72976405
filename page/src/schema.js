// A schema as a form needs it. Documents are strangers': every walk is bounded, and nothing throws.
const STEPS = 20;
const FUEL = 200; // schemas that are looked into for one field; a document may refer to itself

function target(ref, root) {
  if (typeof ref !== "string" || !ref.startsWith("#/")) return null;
  let at = root;
  for (const part of ref.slice(2).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (at === null || typeof at !== "object" || !Object.hasOwn(at, key)) return null;
    at = at[key];
  }
  return at;
}

function merged(one, other) {
  const both = { ...one, ...other };
  if (one.properties && other.properties) both.properties = { ...one.properties, ...other.properties };
  if (one.required && other.required) both.required = [...one.required, ...other.required];
  return both;
}

function followed(schema, root, fuel = { left: FUEL }) {
  let at = schema;
  while (fuel.left-- > 0) {
    if (at === true || at === null || typeof at !== "object" || Array.isArray(at)) return {};
    if (at.$ref !== undefined) {
      const { $ref, ...beside } = at;
      const found = target($ref, root);
      at = found && typeof found === "object" ? merged(found, beside) : beside;
    } else if (Array.isArray(at.allOf)) {
      const { allOf, ...beside } = at;
      at = allOf.slice(0, STEPS).reduce((sum, part) => merged(sum, followed(part, root, fuel)), {});
      at = merged(at, beside);
    } else return at;
  }
  return {};
}

const isNull = (schema) => schema?.type === "null" || schema?.const === null || (Array.isArray(schema?.enum) && schema.enum.length === 1 && schema.enum[0] === null);

/** {kind, schema, nullable, …}: kind is one of enum, boolean, number, file, text, array, object, map, choice, any */
export function read(given, root) {
  let schema = followed(given, root);
  let nullable = false;
  for (let step = 0; step < 3; step++) {
    const word = Array.isArray(schema.oneOf) ? "oneOf" : Array.isArray(schema.anyOf) ? "anyOf" : null;
    if (!word || schema.properties) break;
    const { [word]: all, ...beside } = schema;
    const others = all.filter((one) => !isNull(followed(one, root)));
    nullable ||= others.length < all.length;
    if (others.length !== 1) return { kind: "choice", schema: beside, nullable, choices: others };
    schema = merged(followed(others[0], root), beside);
  }
  let types = Array.isArray(schema.type) ? schema.type : schema.type ? [schema.type] : [];
  nullable ||= types.includes("null") || schema.nullable === true;
  types = types.filter((type) => type !== "null");
  return { kind: kind(schema, types), schema, nullable, integer: types[0] === "integer" };
}

function kind(schema, types) {
  if (Array.isArray(schema.enum) || schema.const !== undefined) return "enum";
  if (types.length > 1) return "any";
  switch (types[0]) {
    case "boolean": return "boolean";
    case "integer": case "number": return "number";
    case "array": return "array";
    case "string": return schema.contentEncoding || schema.contentMediaType || schema.format === "binary" || schema.format === "byte" ? "file" : "text";
    case "object": return schema.properties && Object.keys(schema.properties).length ? "object" : "map";
    default: return schema.properties ? "object" : schema.items ? "array" : "any";
  }
}

export const choices = (schema) => (Array.isArray(schema.enum) ? schema.enum : [schema.const]).filter((value) => value !== null);

/** The value that a new element begins with. */
export function initial(given, root) {
  const { kind: what, schema } = read(given, root);
  switch (what) {
    case "object": case "map": return {};
    case "array": return [];
    case "boolean": return false;
    case "enum": return choices(schema)[0];
    case "choice": return undefined;
    case "any": return null;
    default: return "";
  }
}

/** In a few words, beside a name. */
export function summary(given, root) {
  const { kind: what, schema, nullable, integer, choices: several } = read(given, root);
  const words = {
    number: integer ? "integer" : "number", text: schema.format ? String(schema.format) : "string", any: Array.isArray(schema.type) ? schema.type.join(" | ") : "any JSON",
    map: "object", choice: `one of ${several?.length} forms`, array: "list", enum: `one of ${choices(schema).length}`,
  };
  const limits = [];
  if (schema.minimum !== undefined) limits.push(`≥ ${schema.minimum}`);
  if (schema.maximum !== undefined) limits.push(`≤ ${schema.maximum}`);
  if (schema.maxLength !== undefined && what === "text") limits.push(`≤ ${schema.maxLength} characters`);
  if (schema.maxItems !== undefined && what === "array") limits.push(`≤ ${schema.maxItems} items`);
  return [words[what] ?? what, nullable && "or null", ...limits].filter(Boolean).join(" ");
}
