// Text of documents and answers as people may see it: nothing that hides, turns or moves other text.
// Joiners stay where writing needs them: between letters of the scripts that join, and in the pictures of one emoji (UAX #31, 2.3.1).
const JOINED = "[\\p{sc=Arab}\\p{sc=Syrc}\\p{sc=Mong}\\p{sc=Deva}\\p{sc=Beng}\\p{sc=Guru}\\p{sc=Gujr}\\p{sc=Orya}\\p{sc=Taml}\\p{sc=Telu}\\p{sc=Knda}\\p{sc=Mlym}\\p{sc=Sinh}\\p{sc=Khmr}]";
const EMOJI = "\\p{Extended_Pictographic}";
const NEEDED = `${JOINED}[\\u200c\\u200d](?=${JOINED})|${EMOJI}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]?\\u200d(?=${EMOJI})`;
const HIDDEN = new RegExp(`[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}](?<!${NEEDED})`, "gu");

export const shown = (text, limit = 400) => {
  const whole = String(text ?? "");
  return (whole.length > limit ? `${whole.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}…` : whole).replace(HIDDEN, "\ufffd");
};

export const number = (value) => Math.round(value).toLocaleString("en");
export const compact = (value) => (value < 1000 ? String(value) : value < 99_500 ? `${(value / 1000).toFixed(1)}k` : value < 999_500 ? `${Math.round(value / 1000)}k` : `${(value / 1e6).toFixed(1)}M`);
export const bytes = (size) => (size < 1000 ? `${size} B` : size < 1e6 ? `${(size / 1000).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`);
export const seconds = (value) => (value < 0.001 ? "<1 ms" : value < 1 ? `${Math.round(value * 1000)} ms` : value < 120 ? `${value.toFixed(1)} s` : duration(value));
export const duration = (value) => (value < 120 ? `${Math.round(value)} s` : value < 7200 ? `${Math.round(value / 60)} min` : value < 172_800 ? `${(value / 3600).toFixed(1)} h` : `${(value / 86_400).toFixed(1)} days`);
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** About what a model pays for text, or for the entries of a list: names, descriptions, arguments; as the server counts. */
export const seenTokens = (of) => {
  const seen = typeof of === "string" ? of : JSON.stringify([...of.values()].map(({ name, description, inputSchema }) => [name, description, inputSchema]));
  return Math.round(new Blob([seen]).size / 4.3);
};

/** JSON text with indents; numbers keep all their digits where the browser knows how. */
export const indented = (text) =>
  JSON.stringify(JSON.parse(text, (_, value, context) => (typeof value === "number" && JSON.rawJSON ? JSON.rawJSON(context.source) : value)), null, 2);

/** The value of JSON that was typed. A whole number that would lose digits stays text, as in a form. */
export const parsed = (text) =>
  JSON.parse(text, (_, value, context) => (typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source) ? context.source : value));

/** JSON for reading: long strings are shortened, since files are in them. */
export const readable = (value) =>
  JSON.stringify(value, (_, each) => (typeof each === "string" && each.length > 2000 ? `${each.slice(0, 120)}… (${number(each.length)} characters)` : each), 2);

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function argument(name, value) {
  if (typeof value !== "string") return `${name}:=${JSON.stringify(value)}`;
  const file = /^data:[^,]*?;name=([^;,]+)/.exec(value);
  if (file) return `${name}=@${unescaped(file[1])}`;
  return value.startsWith("@") ? `${name}:=${JSON.stringify(value)}` : `${name}=${value}`;
}

/** What one would type; a token is in a file, so that no list of processes shows it. */
export const command = (name, values, url, secured) =>
  ["scripts/run call", name, ...Object.entries(values).map(([key, value]) => quoted(argument(key, value))), "--server", quoted(url), ...(secured ? ["--token-file token"] : [])].join(" ");

/** Without the escapes of a URL; as it is where they are none. */
export const unescaped = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
