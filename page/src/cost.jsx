// What the list costs a model, by tag and tool.
import { useMemo, useState } from "preact/hooks";
import { tools as fetchTools } from "./server.js";
import { compact, number, seenTokens, shown } from "./text.js";
import { Method, useAsync } from "./ui.jsx";

const GROUPS = 24;
const CELLS = 360; // elements of the whole picture
const BARS = 60;

export function byTag(catalog) {
  const several = catalog.apis.length > 1;
  const groups = new Map();
  for (const tool of catalog.tools) {
    const name = `${several ? `${tool.api} · ` : ""}${tool.tags[0] ?? "no tag"}`;
    if (!groups.has(name)) groups.set(name, { name, tokens: 0, tools: [] });
    const group = groups.get(name);
    group.tokens += tool.estimated_tokens;
    group.tools.push(tool);
  }
  return [...groups.values()].sort((one, other) => other.tokens - one.tokens);
}

function folded(groups) {
  if (groups.length <= GROUPS) return groups;
  const rest = groups.slice(GROUPS - 1);
  return [...groups.slice(0, GROUPS - 1), { name: `${number(rest.length)} more tags`, tokens: rest.reduce((sum, group) => sum + group.tokens, 0), tools: rest.flatMap((group) => group.tools) }].sort((one, other) => other.tokens - one.tokens);
}

/** Squarified treemap (Bruls, Huizing, van Wijk 2000): rectangles of these sizes, none of them much longer than wide. */
function squares(sizes, box) {
  const total = sizes.reduce((sum, size) => sum + size, 0) || 1;
  const scale = (box.w * box.h) / total;
  const placed = [];
  let { x, y, w, h } = box;
  let row = [];
  let rowArea = 0;
  const side = () => Math.min(w, h) || 1;
  const worst = (areas, sum) => Math.max((side() ** 2 * Math.max(...areas)) / sum ** 2, sum ** 2 / (side() ** 2 * Math.min(...areas)));
  const place = () => {
    const thick = rowArea / side();
    let along = 0;
    for (const area of row) {
      const long = area / thick;
      placed.push(w >= h ? { x, y: y + along, w: thick, h: long } : { x: x + along, y, w: long, h: thick });
      along += long;
    }
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
    row = [];
    rowArea = 0;
  };
  for (const size of sizes) {
    const area = Math.max(size * scale, 1e-6);
    if (row.length && worst([...row, area], rowArea + area) > worst(row, rowArea)) place();
    row.push(area);
    rowArea += area;
  }
  if (row.length) place();
  return placed;
}

const percent = ({ x, y, w, h }) => ({ left: `${x}%`, top: `${y}%`, width: `${w}%`, height: `${h}%` });

export function Treemap({ groups: all, small = false }) {
  const groups = useMemo(() => folded(all), [all]);
  const total = groups.reduce((sum, group) => sum + group.tokens, 0) || 1;
  // The picture is about twice as wide as high, so the sides of its rectangles count differently.
  const boxes = useMemo(() => squares(groups.map((group) => group.tokens), { x: 0, y: 0, w: 200, h: 100 }).map((box) => ({ ...box, x: box.x / 2, w: box.w / 2 })), [groups]);
  return (
    <div class={`treemap ${small ? "small" : ""}`} role="img" aria-label={`Tokens by tag: ${groups.slice(0, 8).map((group) => `${shown(group.name, 40)} ${compact(group.tokens)}`).join(", ")}`}>
      {groups.map((group, index) => {
        const box = boxes[index];
        const cells = group.tools.slice().sort((one, other) => other.estimated_tokens - one.estimated_tokens).slice(0, Math.max(1, Math.round((CELLS * group.tokens) / total)));
        const inner = squares(cells.map((tool) => tool.estimated_tokens), { x: 0, y: 0, w: box.w * 2, h: box.h });
        return (
          <div class={`tag t${index % 8}`} style={percent(box)} title={`${shown(group.name, 60)}: ${number(group.tokens)} tokens, ${number(group.tools.length)} tools`}>
            {inner.map((cell, at) => (
              <i style={percent({ x: (cell.x / (box.w * 2)) * 100, y: (cell.y / box.h) * 100, w: (cell.w / (box.w * 2)) * 100, h: (cell.h / box.h) * 100 })} title={`${cells[at].name}: ${number(cells[at].estimated_tokens)} tokens`}>{cell.w > 22 && cell.h > 24 && <em>{cells[at].name}</em>}</i>
            ))}
            {box.w > 7 && box.h > 9 && <span>{shown(group.name, 40)}{box.h > (small ? 22 : 14) && <small>{compact(group.tokens)}</small>}</span>}
          </div>
        );
      })}
    </div>
  );
}

export function Cost({ catalog }) {
  const { value: listed } = useAsync(fetchTools, []);
  const searches = listed?.has("search_operations");
  const groups = useMemo(() => byTag(catalog), [catalog]);
  const [open, setOpen] = useState("");
  const most = groups[0]?.tokens || 1;
  const tools = useMemo(() => (open ? groups.find((group) => group.name === open)?.tools ?? [] : catalog.tools).slice().sort((one, other) => other.estimated_tokens - one.estimated_tokens), [catalog, open]);
  if (!catalog.tools.length) return <article class="wide"><h2>What the list costs a model</h2><p class="lead">Nothing: there are no tools.</p></article>;
  return (
    <article class="wide">
      <h2>{searches ? "What a list of all would cost a model" : "What the list costs a model"}</h2>
      <p class="lead"><b>{number(catalog.estimated_tokens)}</b> tokens of names, descriptions and arguments for {number(catalog.tools.length)} tools, about {number(catalog.estimated_tokens / Math.max(1, catalog.tools.length))} each{searches ? "." : ": that much of every conversation is gone before its first word, in clients that load the whole list."}</p>
      {searches && <p class="lead">Clients are told of {listed.size} tools to search with instead, for <b>{number(seenTokens(listed))}</b> tokens.</p>}
      <Treemap groups={groups} />
      <div class="columns">
        <section><h3>By tag</h3>
          <ul class="bars">{groups.slice(0, BARS).map((group) => (
            <li><button type="button" aria-pressed={open === group.name} onClick={() => setOpen(open === group.name ? "" : group.name)}><span class="label">{shown(group.name, 60)}</span><Bar part={group.tokens / most} /><span class="value">{compact(group.tokens)}</span></button></li>
          ))}</ul>
          {groups.length > BARS && <p class="quiet">and {number(groups.length - BARS)} more</p>}
        </section>
        <section><h3>Dearest tools{open && <> of {shown(open, 40)}</>}</h3>
          <ul class="bars">{tools.slice(0, BARS).map((tool) => (
            <li><a href={`#/tool/${tool.name}`}><span class="label"><Method of={tool.method} /> {tool.name}</span><Bar part={tool.estimated_tokens / (tools[0]?.estimated_tokens || 1)} /><span class="value">{compact(tool.estimated_tokens)}</span></a></li>
          ))}</ul>
          {tools.length > BARS && <p class="quiet">and {number(tools.length - BARS)} more</p>}
        </section>
      </div>
      <p class="quiet">INCLUDE_TAGS and ALLOW_OPERATIONS choose operations; TOOL_OVERRIDES shortens or hides single tools.</p>
    </article>
  );
}

export const Bar = ({ part }) => <span class="bar" aria-hidden="true"><span style={{ width: `${Math.max(1, 100 * part)}%` }} /></span>;
