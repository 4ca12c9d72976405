// What became of the documents: skipped operations, credentials, repairs.
import { useMemo, useState } from "preact/hooks";
import { number, plural, shown, unescaped } from "./text.js";
import { Chip, Method, T } from "./ui.jsx";

const SHOWN = 100;

/** A long list, a hundred at a time. */
function Some({ of, children }) {
  const [count, setCount] = useState(SHOWN);
  return (
    <>
      <ul class="plain">{of.slice(0, count).map(children)}</ul>
      {of.length > count && <button type="button" class="link" onClick={() => setCount(count + SHOWN)}>{number(of.length - count)} more</button>}
    </>
  );
}

const grouped = (all, key) => {
  const groups = new Map();
  for (const each of all) {
    const name = key(each);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(each);
  }
  return [...groups].sort((one, other) => other[1].length - one[1].length);
};

export const Documents = ({ catalog }) => (
  <article class="wide">
    <h2>{plural(catalog.apis.length, "document")}</h2>
    {catalog.apis.map((api) => <Api api={api} catalog={catalog} />)}
  </article>
);

function Api({ api, catalog }) {
  const skipped = catalog.skipped.filter((each) => each.api === api.name);
  const unmet = useMemo(() => grouped(catalog.tools.filter((tool) => tool.api === api.name && tool.security.kind === "unmet"), (tool) => tool.security.reason), [catalog]);
  const notes = useMemo(() => grouped(api.notes, (note) => `${note.kind}\n${note.message}`), [api]);
  return (
    <section class="panel">
      <h3><T limit={120}>{api.title || api.name}</T> <Chip>{shown(api.name, 60)}</Chip> <Chip>{shown(api.version, 40)}</Chip> <Chip>OpenAPI {api.openapi}</Chip></h3>
      <p>{api.base_url ? <>Served at <code>{shown(api.base_url, 200)}</code>. </> : "Where it is served is not known. "}{plural(api.tools, "tool")}, {number(skipped.length)} skipped, {number(api.filtered)} left out by settings, {plural(api.notes.length, "note")}.</p>
      {unmet.length > 0 && <details open={skipped.length === 0}><summary>Credentials that are not configured ({plural(api.unmet_security, "tool")})</summary>
        <Some of={unmet}>{([reason, tools]) => <li><T>{reason}</T> <span class="quiet">{tools.slice(0, 5).map((tool) => tool.name).join(", ")}{tools.length > 5 && ` and ${number(tools.length - 5)} more`}</span></li>}</Some>
      </details>}
      {skipped.length > 0 && <details open><summary>Skipped operations ({number(skipped.length)})</summary>
        <Some of={skipped}>{(each) => <li><Method of={each.method} /> <code><T limit={200}>{each.path}</T></code><br /><T>{each.reason}</T><br /><span class="quiet">{each.place && <><T limit={200}>{each.place}</T>, </>}<code><T limit={200}>{unescaped(each.pointer)}</T></code></span></li>}</Some>
      </details>}
      {notes.length > 0 && <details><summary>Repairs and oddities ({number(api.notes.length)})</summary>
        <Some of={notes}>{([, same]) => <li><Chip>{same[0].kind.replaceAll("_", " ")}</Chip> <T>{same[0].message}</T>{same.length > 1 && <b> × {number(same.length)}</b>} <code class="quiet"><T limit={200}>{unescaped(same[0].pointer)}</T></code></li>}</Some>
      </details>}
      {!unmet.length && !skipped.length && !notes.length && <p class="quiet">Every operation became a tool, and nothing had to be repaired.</p>}
    </section>
  );
}
