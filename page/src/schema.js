// A schema as a form needs it. Documents are strangers': every walk is bounded, and nothing throws.
import { shown } from "./text.js";

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

/** [name, value] of the members that can have one value only, such as the name of a variant. */
function fixed(schema, root) {
  const members = Object.entries(schema.properties ?? {}).slice(0, STEPS).map(([name, each]) => [name, read(each, root)]);
  return members.filter(([, as]) => as.kind === "enum" && !as.nullable && choices(as.schema).length === 1).map(([name, as]) => [name, choices(as.schema)[0]]);
}

/** What a form is called: by its title, by its name in the document, or by what is fixed in it. */
export function titled(given, root, otherwise) {
  const { schema } = read(given, root);
  return schema.title ?? given?.$ref?.split?.("/").pop() ?? fixed(schema, root).map(([, value]) => value).find((value) => typeof value === "string") ?? otherwise;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** How much a value looks like one of a schema's; 0: not at all. */
function likeness(given, value, root, steps = 3) {
  const { kind: what, schema, choices: several } = read(given, root);
  switch (what) {
    case "enum": return choices(schema).includes(value) ? 2 : 0;
    case "boolean": return Number(typeof value === "boolean");
    case "number": return Number(typeof value === "number" || /^-?\d/.test(value));
    case "array": return Number(Array.isArray(value));
    case "text": case "file": return Number(typeof value === "string");
    case "choice": return steps ? Math.max(0, ...several.slice(0, STEPS).map((each) => likeness(each, value, root, steps - 1))) : 0;
    case "object": case "map": {
      const known = isObject(value) ? Object.entries(schema.properties ?? {}).filter(([name]) => Object.hasOwn(value, name)) : [];
      const differs = fixed(schema, root).some(([name, only]) => isObject(value) && Object.hasOwn(value, name) && value[name] !== only);
      return isObject(value) && !differs ? 1 + known.length : 0;
    }
    default: return 0.5;
  }
}

/** Which of several forms a value has; -1 where there is none. */
export function form(several, value, root) {
  if (value === undefined || value === null) return -1;
  const alike = several.map((each) => likeness(each, value, root));
  return alike.indexOf(Math.max(...alike));
}

/** The value that a new element begins with. */
export function initial(given, root) {
  const { kind: what, schema } = read(given, root);
  switch (what) {
    case "object": return Object.fromEntries(fixed(schema, root).filter(([name]) => schema.required?.includes?.(name)));
    case "map": return {};
    case "array": return [];
    case "boolean": return false;
    case "enum": return choices(schema)[0];
    case "choice": return undefined;
    case "any": return null;
    default: return "";
  }
}

/** [kinds, a word of JSON Schema, how it is told] */
const LIMITS = [
  [["number"], "minimum", (least) => `≥ ${least}`], [["number"], "exclusiveMinimum", (below) => `> ${below}`],
  [["number"], "maximum", (most) => `≤ ${most}`], [["number"], "exclusiveMaximum", (above) => `< ${above}`],
  [["number"], "multipleOf", (step) => `a multiple of ${step}`],
  [["text"], "minLength", (least) => `≥ ${least} characters`], [["text"], "maxLength", (most) => `≤ ${most} characters`],
  [["text"], "pattern", (pattern) => `like ${pattern}`],
  [["array"], "minItems", (least) => `≥ ${least} items`], [["array"], "maxItems", (most) => `≤ ${most} items`],
];

/** In a few words, beside a name. */
export function summary(given, root) {
  const { kind: what, schema, nullable, integer, choices: several } = read(given, root);
  const words = {
    number: integer ? "integer" : "number", text: schema.format ? String(schema.format) : "string", any: Array.isArray(schema.type) ? schema.type.join(" | ") : "any JSON",
    map: "object", choice: `one of ${several?.length} forms`, array: "list", enum: `one of ${choices(schema).length}`,
  };
  const limits = LIMITS.filter(([kinds, word]) => kinds.includes(what) && schema[word] !== undefined).map(([, word, says]) => says(shown(schema[word], 60)));
  return [shown(words[what] ?? what, 60), nullable && "or null", limits.join(", ")].filter(Boolean).join(" ");
}
