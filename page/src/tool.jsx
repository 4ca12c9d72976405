// One tool: what it does, its arguments as a form, a call, and the same call elsewhere.
import { useEffect, useRef, useState } from "preact/hooks";
import { AnyJson, ArgumentForm } from "./form.jsx";
import { Result, verdict } from "./result.jsx";
import { summary } from "./schema.js";
import { entry as fetchEntry, isSecured, mcpUrl, message, report, send, tools as fetchTools } from "./server.js";
import { command, compact, readable, seconds, shown, unescaped } from "./text.js";
import { Chip, Code, Json, Method, Problem, T, Tabs, useAsync, Words } from "./ui.jsx";

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);

export function ToolPage({ tool, remembered }) {
  const { value: entry, error } = useAsync(() => fetchEntry(tool.name), [tool.name]);
  const heading = useRef();
  useEffect(() => { heading.current?.focus({ preventScroll: true }); }, [tool.name]);
  return (
    <article class="tool">
      <a class="back" href="#/">← All tools</a>
      <h2 tabIndex={-1} ref={heading}>{tool.name}</h2>
      <p class="where"><Method of={tool.method} /> <code><T>{tool.path}</T></code></p>
      <p class="chips">
        <Chip>{shown(tool.api, 60)}</Chip>
        {tool.tags.slice(0, 12).map((tag) => <Chip>{shown(tag, 60)}</Chip>)}
        <Chip>{compact(tool.estimated_tokens)} tokens</Chip>
        {SAFE.has(tool.method) ? <Chip tone="good">only reads</Chip> : <Chip tone="warn">{tool.method === "DELETE" ? "deletes" : "may change data"}</Chip>}
        {tool.security.kind === "unmet" && <Chip tone="bad">credentials missing</Chip>}
      </p>
      {tool.security.kind === "unmet" && <p class="note">Not configured: {shown(tool.security.reason, 400)}. The call is tried nevertheless, unless STRICT_AUTH is set.</p>}
      {error && <Problem error={error} />}
      {entry && <Loaded key={tool.name} tool={tool} entry={entry} remembered={remembered} />}
    </article>
  );
}

function Loaded({ tool, entry, remembered }) {
  return (
    <>
      <Prose text={entry.description ?? tool.title} />
      {report ? <Outline schema={entry.inputSchema} /> : <Call tool={tool} entry={entry} remembered={remembered} />}
      <details class="raw"><summary>Schemas, as a model gets them</summary>
        <Tabs label="Schemas" tabs={[
          ["Arguments", () => <Json text={readable(entry.inputSchema)} label="Input schema" />],
          ...(entry.outputSchema ? [["Answer", () => <Json text={readable(entry.outputSchema)} label="Output schema" />]] : []),
          ["Whole entry", () => <Json text={readable(entry)} label="Entry of tools/list" />],
        ]} />
      </details>
      <p class="quiet place">In the document: <code><T>{unescaped(tool.pointer)}</T></code></p>
    </>
  );
}

const SHORT = 600; // characters of a description that stand above the form

function Prose({ text }) {
  const [whole, showWhole] = useState(text.length <= SHORT * 1.2);
  return <p class="lead"><Words limit={whole ? 20_000 : SHORT}>{text}</Words>{!whole && <> <button type="button" class="link" onClick={() => showWhole(true)}>Show all of it</button></>}</p>;
}

function Outline({ schema }) {
  const required = new Set(schema?.required ?? []);
  const rows = Object.entries(schema?.properties ?? {});
  if (!rows.length) return <p class="quiet">It takes no arguments.</p>;
  return (
    <div class="scroll"><table>
      <thead><tr><th scope="col">Argument</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
      <tbody>{rows.map(([name, each]) => (
        <tr><th scope="row"><code>{shown(name, 80)}</code>{required.has(name) && <span class="required" title="required">*</span>}</th><td>{summary(each, schema)}</td><td><Words>{each?.description ?? ""}</Words></td></tr>
      ))}</tbody>
    </table></div>
  );
}

/** How a client calls it: by its name, or through the tools of search mode where it is not in the list. */
function params(tool, listed, values) {
  if (!listed || listed.has(tool.name)) return { name: tool.name, arguments: values };
  const reads = SAFE.has(tool.method) && tool.method !== "OPTIONS";
  const through = reads && listed.has("read_operation") ? "read_operation" : "call_operation";
  return { name: through, arguments: { name: tool.name, arguments: values } };
}

function Call({ tool, entry, remembered }) {
  const [values, setValues] = useState(remembered.get(tool.name) ?? {});
  const [asJson, setAsJson] = useState(false);
  const [running, setRunning] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const form = useRef();
  const { value: listed } = useAsync(fetchTools, []);
  const what = params(tool, listed, values);
  const typed = () => command(what.name, what.arguments, mcpUrl(), isSecured());
  const change = (next) => { remembered.set(tool.name, next ?? {}); setValues(next ?? {}); };
  useEffect(() => () => running?.abort(), [running]);
  const call = async (event) => {
    event.preventDefault();
    if (running) return undefined;
    const wrong = form.current.querySelector("textarea:invalid");
    if (wrong) return wrong.focus();
    const stop = new AbortController();
    setRunning(stop);
    setOutcome(null);
    const began = performance.now();
    try {
      const reply = await send(message("tools/call", what), stop.signal);
      setOutcome({ reply, took: (performance.now() - began) / 1000, size: new Blob([JSON.stringify(reply)]).size });
    } catch (error) {
      setOutcome({ error: stop.signal.aborted ? "The call was cancelled." : error });
    } finally {
      setRunning(null);
    }
  };
  return (
    <>
      <form ref={form} onSubmit={call} noValidate aria-label={`Arguments of ${tool.name}`}>
        <div class="formhead"><h3>Arguments</h3><button type="button" class="link" aria-pressed={asJson} onClick={() => setAsJson(!asJson)}>{asJson ? "Edit as a form" : "Edit as JSON"}</button></div>
        {asJson ? <AnyJson label="Arguments as JSON" ofArguments rows={10} value={values} onChange={change} /> : <ArgumentForm schema={entry.inputSchema} values={values} onChange={change} />}
        <div class="actions">
          <button type="submit" class="primary" aria-disabled={running !== null}>{running ? "Calling…" : "Call"}</button>
          {running && <button type="button" onClick={() => running.abort()}>Cancel</button>}
        </div>
      </form>
      <p class="hidden" role="status">{running ? "Calling…" : outcome?.reply && `${verdict(outcome.reply)}, after ${seconds(outcome.took)}`}</p>
      {outcome && (outcome.error ? <Problem error={outcome.error} /> : <Result outcome={outcome} />)}
      <details class="same"><summary>The same call elsewhere</summary>
        <Tabs label="The same call" tabs={[
          ["Command line", () => <Code label="Command" text={shown(typed(), 4000)} copied={typed} />],
          ["JSON-RPC message", () => <Code label="JSON-RPC message" text={readable({ jsonrpc: "2.0", id: 1, method: "tools/call", params: what })} copied={() => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: what })} />],
        ]} />
      </details>
    </>
  );
}
