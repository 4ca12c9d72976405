// The list of tools: as many elements as fit on the screen, however many tools there are.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { compact, number, plural, shown } from "./text.js";
import { Method } from "./ui.jsx";

const ROW = 76; // pixels, as in page.css
const MORE = 5; // rows above and below what is seen
const haystacks = new WeakMap();

function haystack(tool) {
  let text = haystacks.get(tool);
  if (text === undefined) {
    text = [tool.name, tool.title, tool.method, tool.path, ...tool.tags].map((each) => String(each).slice(0, 2000)).join("\n").toLowerCase();
    haystacks.set(tool, text);
  }
  return text;
}

/** Tools with all of the words; where none has them all, those with most, if that is half of them. */
export function matching(tools, { query, api, tag, method }) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = tools.filter((tool) => (!api || tool.api === api) && (!tag || tool.tags.includes(tag)) && (!method || tool.method === method));
  if (!words.length) return chosen;
  const counts = chosen.map((tool) => words.filter((word) => haystack(tool).includes(word)).length);
  const most = counts.reduce((one, other) => Math.max(one, other), words.length / 2);
  const found = chosen.filter((_, index) => counts[index] === most);
  const inName = (tool) => words.every((word) => tool.name.toLowerCase().includes(word));
  return [...found.filter(inName), ...found.filter((tool) => !inName(tool))];
}

const counted = (values) => {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]).slice(0, 300);
};

const Choice = ({ label, all, values, value, onChange }) => values.length > 1 && (
  <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
    <option value="">{all}</option>
    {values.map(([each, count]) => <option value={each}>{shown(each, 60)} ({count})</option>)}
  </select>
);

export function ToolList({ tools, filter, setFilter, chosen }) {
  const found = useMemo(() => matching(tools, filter), [tools, filter]);
  const apis = useMemo(() => counted(tools.map((tool) => tool.api)), [tools]);
  const tags = useMemo(() => counted(tools.flatMap((tool) => tool.tags)), [tools]);
  const methods = useMemo(() => counted(tools.map((tool) => tool.method)), [tools]);
  const set = (name) => (value) => setFilter({ ...filter, [name]: value });
  const tokens = found.reduce((sum, tool) => sum + tool.estimated_tokens, 0);
  return (
    <>
      <search class="filters">
        <input id="search" type="search" placeholder="Search tools  ( / )" aria-label="Search tools" aria-controls="tools" value={filter.query} onInput={(event) => set("query")(event.currentTarget.value)} autocomplete="off" spellcheck={false} />
        <div class="selects">
          <Choice label="API" all="All APIs" values={apis} value={filter.api} onChange={set("api")} />
          <Choice label="Tag" all="All tags" values={tags} value={filter.tag} onChange={set("tag")} />
          <Choice label="Method" all="All methods" values={methods} value={filter.method} onChange={set("method")} />
        </div>
        <p class="count" role="status">{found.length === tools.length ? plural(found.length, "tool") : `${number(found.length)} of ${plural(tools.length, "tool")}`} · {compact(tokens)} tokens</p>
      </search>
      <Rows found={found} chosen={chosen} none={tools.length ? "Nothing has these words." : "There are no tools."} />
    </>
  );
}

function Rows({ found, chosen, none }) {
  const box = useRef();
  const [seen, setSeen] = useState({ top: 0, height: 800 });
  const [active, setActive] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setSeen({ top: box.current.scrollTop, height: box.current.clientHeight });
    const watcher = new ResizeObserver(measure);
    watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => { box.current.scrollTop = 0; setActive(0); }, [found]);
  useEffect(() => {
    const index = found.findIndex((tool) => tool.name === chosen);
    if (index >= 0) show(index);
  }, [chosen]);
  const show = (index) => {
    const node = box.current;
    setActive(index);
    if (index * ROW < node.scrollTop) node.scrollTop = index * ROW;
    else if ((index + 1) * ROW > node.scrollTop + node.clientHeight) node.scrollTop = (index + 1) * ROW - node.clientHeight;
  };
  const page = Math.max(1, Math.floor(seen.height / ROW) - 1);
  const keys = (event) => {
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: found.length - 1 }[event.key];
    if (event.key === "Enter" && found[active]) location.hash = `#/tool/${found[active].name}`;
    else if (to !== undefined && found.length) show(Math.min(Math.max(to, 0), found.length - 1));
    else return;
    event.preventDefault();
  };
  const first = Math.max(0, Math.floor(seen.top / ROW) - MORE);
  const last = Math.min(found.length, Math.ceil((seen.top + seen.height) / ROW) + MORE);
  return (
    <div class="rows" id="tools" ref={box} role="listbox" tabIndex={0} aria-label="Tools" aria-activedescendant={found.length ? `row-${active}` : undefined}
      onScroll={(event) => setSeen({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })} onKeyDown={keys}>
      {!found.length && <p class="empty" role="option" aria-selected={false} aria-disabled={true}>{none}</p>}
      <div class="tall" role="presentation" style={{ height: `${found.length * ROW}px` }}>
        {found.slice(first, last).map((tool, offset) => {
          const index = first + offset;
          return (
            <div key={tool.name} id={`row-${index}`} role="option" aria-selected={tool.name === chosen} aria-setsize={found.length} aria-posinset={index + 1}
              class={`row ${index === active ? "active" : ""}`} style={{ top: `${index * ROW}px` }} onClick={() => { setActive(index); location.hash = `#/tool/${tool.name}`; }}>
              <Method of={tool.method} />
              <span class="names"><b title={tool.name}>{tool.name}</b><span class="path">{shown(tool.path, 160)}</span><span class="about">{[tool.title !== tool.name && shown(tool.title, 120), ...tool.tags.slice(0, 5).map((tag) => shown(tag, 40))].filter(Boolean).join(" · ")}</span></span>
              <span class="cost" title="tokens that its entry costs a model">{compact(tool.estimated_tokens)}<small>tokens</small></span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
