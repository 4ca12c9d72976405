// Everything the page asks of its server. Addresses are relative, so that a proxy may serve it below a path.
const VERSION = "2025-11-25";
const dataBlock = document.getElementById("report");
export const report = dataBlock ? JSON.parse(dataBlock.textContent) : null; // the page as one file
export const mcpUrl = () => new URL("mcp", document.baseURI.replace(/[?#].*$/, "")).href;

export const NEEDED = "a token is needed; try again, or reload the page, to give one";
let token = ""; // in this tab's memory and nowhere else
let asking = null;
let askPerson = () => Promise.reject(new Error(NEEDED));
export const isSecured = () => token !== "";
export const onTokenNeeded = (ask) => { askPerson = ask; };

async function request(path, init = {}) {
  for (;;) {
    const used = token;
    const headers = { ...init.headers, ...(used && { authorization: `Bearer ${used}` }) };
    const reply = await fetch(path, { ...init, headers, cache: "no-store", credentials: "omit" }).catch((error) => {
      throw init.signal?.aborted ? error : new Error("the server does not answer: it has stopped, or the way to it is gone");
    });
    if (reply.status !== 401) return reply;
    if (token !== used) continue; // given meanwhile, for another request
    asking ??= askPerson(used !== "").finally(() => { asking = null; });
    token = await asking;
  }
}

async function json(path, init) {
  const reply = await request(path, init);
  if (reply.ok) return reply.json();
  let said = "";
  try {
    const body = await reply.json();
    said = body?.error?.message ?? body?.error ?? "";
  } catch { /* no JSON: its status says enough */ }
  throw new Error(typeof said === "string" && said ? `${reply.status}: ${said}` : `the server answered ${reply.status}`);
}

export const catalog = () => (report ? Promise.resolve(report) : json("page/catalog.json"));
export const health = (signal) => json("page/health.json", { signal });

let id = 0;
export const message = (method, params) => ({ jsonrpc: "2.0", id: ++id, method, params });

export const send = (one, signal) =>
  json("mcp", {
    method: "POST",
    signal,
    headers: { "content-type": "application/json", accept: "application/json", "mcp-protocol-version": VERSION },
    body: JSON.stringify(one),
  });

async function listed() {
  const found = new Map();
  let cursor;
  do {
    const { result, error } = await send(message("tools/list", cursor ? { cursor } : {}));
    if (error) throw new Error(error.message);
    for (const tool of result.tools) found.set(tool.name, tool);
    cursor = result.nextCursor;
  } while (cursor);
  return found;
}

let list = null;
/** The tools as a client is told of them, by name. */
export function tools() {
  if (report) return Promise.resolve(new Map(report.entries.map((entry) => [entry.name, entry])));
  list ??= listed().catch((error) => { list = null; throw error; });
  return list;
}

/** One tool's entry: from the list, or, where that has tools to search with instead, from the catalog. */
export async function entry(name) {
  const own = (await tools()).get(name);
  return own ?? (report ? null : (await json(`page/tools/${encodeURIComponent(name)}`)).entry);
}
