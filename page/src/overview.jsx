// Where the page begins: what there is, what it costs, what to look at.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Treemap, byTag } from "./cost.jsx";
import { mcpUrl, message, report, send, tools as fetchTools } from "./server.js";
import { compact, number, plural, seenTokens, shown } from "./text.js";
import { Chip, Code, Problem, T, useAsync } from "./ui.jsx";

const WINDOW = 200_000; // tokens of a usual model

export function Overview({ catalog, filter }) {
  const { value: listed } = useAsync(fetchTools, []);
  const searches = listed?.has("search_operations");
  const unmet = catalog.tools.filter((tool) => tool.security.kind === "unmet").length;
  const notes = catalog.apis.reduce((sum, api) => sum + api.notes.length, 0);
  return (
    <article class="overview">
      {searches && filter.query.trim() && <Found filter={filter} catalog={catalog} />}
      {catalog.apis.slice(0, 30).map((api) => (
        <header class="api">
          <h2><T limit={120}>{api.title || api.name}</T></h2>
          <p class="chips"><Chip>version {shown(api.version, 40)}</Chip><Chip>OpenAPI {api.openapi}</Chip>{api.base_url && <Chip>{shown(api.base_url, 120)}</Chip>}</p>
        </header>
      ))}
      <p class="lead">{searches ? "Agents search these operations, and call what they find." : "Every operation is a tool that an agent can call."} {report ? "Choose one to see what an agent is told of it." : "Choose one, fill in its arguments and call it: you get what an agent would get."} <span class="quiet keys"><kbd>/</kbd> searches, <kbd>↑</kbd> <kbd>↓</kbd> <kbd>Enter</kbd> move through the list.</span></p>
      <ul class="cards">
        <Card href="#/" title={`${searches ? "operation" : "tool"}${catalog.tools.length === 1 ? "" : "s"}`} value={number(catalog.tools.length)}>{searches ? `behind ${listed.size} tools to search with` : "each is an operation of the document"}</Card>
        {searches
          ? <Card href="#/cost" title="tokens for the list" value={compact(seenTokens(listed))}>in place of {compact(catalog.estimated_tokens)} for one of all</Card>
          : <Card href="#/cost" title="tokens for the list" value={compact(catalog.estimated_tokens)}>{share(catalog.estimated_tokens)} of a context of {compact(WINDOW)}</Card>}
        <Card href="#/documents" title={`operation${catalog.skipped.length === 1 ? "" : "s"} skipped`} value={number(catalog.skipped.length)} tone={catalog.skipped.length ? "warn" : ""}>{catalog.skipped.length ? "each with its reason" : catalog.tools.length ? "all of them became tools" : "the document has none"}</Card>
        <Card href="#/documents" title={notes === 1 ? "note" : "notes"} value={number(notes)}>{notes ? "repairs and oddities" : "nothing had to be repaired"}</Card>
        {unmet > 0 && <Card href="#/documents" title="without credentials" value={number(unmet)} tone="warn">what they need is not configured</Card>}
      </ul>
      {catalog.tools.length > 0 && <section class="panel"><div class="formhead"><h3>{searches ? "What a list of all would cost a model" : "What the list costs a model"}</h3><a href="#/cost">More</a></div>
        <Treemap groups={byTag(catalog)} small />
      </section>}
      {!report && <section class="panel"><div class="formhead"><h3>Where clients connect</h3><a href="#/connect">Claude, VS Code, Cursor, Python, TypeScript</a></div>
        <Code text={mcpUrl()} label="Address" />
      </section>}
    </article>
  );
}

const share = (tokens) => `${tokens / WINDOW < 0.01 ? "less than 1" : Math.round((100 * tokens) / WINDOW)} %`;

const Card = ({ href, title, value, tone = "", children }) => (
  <li class={`card ${tone}`}><a href={href}><strong>{value}</strong> <span>{title}</span></a><small>{children}</small></li>
);

const HIT = /^(\d{1,5}\. )([\w-]{1,64})(?=\()/;

/** What a model finds with the same words and filters, live and as it reads it. */
function Found({ filter, catalog }) {
  const [late, setLate] = useState(filter);
  useEffect(() => {
    const timer = setTimeout(() => setLate(filter), 250);
    return () => clearTimeout(timer);
  }, [filter]);
  const asked = Object.fromEntries(["query", "tag", "method", "api"].map((name) => [name, late[name].trim()]).filter(([, value]) => value));
  const { value, error } = useAsync(async () => {
    const { result, error: refused } = await send(message("tools/call", { name: "search_operations", arguments: asked }));
    if (refused) throw new Error(refused.message);
    return (result.content ?? []).map((content) => content.text ?? "").join("\n");
  }, [late]);
  const names = useMemo(() => new Set(catalog.tools.map((tool) => tool.name)), [catalog]);
  return (
    <section class="panel found" aria-label="What a model finds">
      <div class="formhead"><h3>What a model finds</h3>{value !== undefined && <span class="quiet">{plural(seenTokens(value), "token")}</span>}</div>
      <p class="quiet"><code>search_operations {shown(JSON.stringify(asked), 200)}</code></p>
      {error && <Problem error={error} />}
      {value !== undefined && <div class="hits">{value.split("\n").map((line) => {
        const [, at, name] = HIT.exec(line) ?? [];
        return <p class={at ? "first" : undefined}>{names.has(name) ? <>{at}<a href={`#/tool/${name}`}>{name}</a><T>{line.slice(at.length + name.length)}</T></> : <T limit={1000}>{line}</T>}</p>;
      })}</div>}
    </section>
  );
}
