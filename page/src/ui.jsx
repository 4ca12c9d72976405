// Small parts that every view uses. Text of strangers always goes through `shown`.
import { useEffect, useRef, useState } from "preact/hooks";
import { number, shown } from "./text.js";

export const T = ({ children, limit }) => <bdi>{shown(children, limit)}</bdi>;
/** The words of a document's description: what stands between backticks is code, as CommonMark has it; no other markup. */
export const Words = ({ children, limit }) => <bdi>{shown(children, limit).split(/`([^`\n]{1,120})`/).map((part, at) => (at % 2 ? <code>{part}</code> : part))}</bdi>;
export const Method = ({ of }) => <span class={`method m-${String(of).toLowerCase().replace(/[^a-z]/g, "")}`}>{shown(of, 8)}</span>;
export const Chip = ({ children, tone = "" }) => <span class={`chip ${tone}`}>{children}</span>;
export const Problem = ({ error }) => <p class="problem" role="alert">{shown(error.message ?? error)}</p>;

/** Over plain HTTP from another machine, browsers have the older way to the clipboard alone. */
async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const put = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", put);
  const done = document.execCommand("copy");
  document.removeEventListener("copy", put);
  if (!done) throw new Error("the browser keeps its clipboard to itself");
}

function Copy({ text, of }) {
  const [said, say] = useState("");
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(""), 3000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () => toClipboard(typeof text === "function" ? text() : text).then(() => say("Copied"), () => say("Not copied"));
  return <><button type="button" class="copy" onClick={copy} aria-label={`${said || "Copy"}: ${of}`}>{said || "Copy"}</button><span class="hidden" role="status">{said}</span></>;
}

export const Code = ({ text, copied = text, label }) => (
  <div class="code"><pre role="group" tabIndex={0} aria-label={label}>{text}</pre><Copy text={copied} of={label} /></div>
);

const SHOWN = 200_000; // characters of one text, until somebody asks for more

/** Long text by its beginning first. */
export function Cut({ text, children: show }) {
  const [whole, showWhole] = useState(false);
  const isCut = !whole && text.length > SHOWN;
  return <>{show(shown(isCut ? text.slice(0, SHOWN) : text, Infinity))}{isCut && <button type="button" class="link" onClick={() => showWhole(true)}>Show all {number(text.length)} characters</button>}</>;
}

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const COLOURED = 40_000; // characters; each word of colour is an element

export const Json = ({ text, label }) => <Cut text={text}>{(part) => <Coloured text={part} label={label} />}</Cut>;

/** JSON in colours, as long as it is short enough for that. */
function Coloured({ text, label }) {
  const parts = [];
  if (text.length <= COLOURED) {
    let last = 0;
    for (const found of text.matchAll(TOKENS)) {
      const [whole, string, colon, word] = found;
      parts.push(text.slice(last, found.index));
      const kind = string ? (colon ? "key" : "str") : word ? "word" : "num";
      parts.push(<span class={`j-${kind}`}>{string ?? whole}</span>, colon ?? "");
      last = found.index + whole.length;
    }
    parts.push(text.slice(last));
  }
  return <pre class="json" role="group" tabIndex={0} aria-label={label}>{parts.length ? parts : text}</pre>;
}

/** One of several views; arrow keys move between them (ARIA Authoring Practices, Tabs). */
export function Tabs({ label, tabs }) {
  const [chosen, choose] = useState(tabs[0][0]);
  const bar = useRef();
  const at = Math.max(0, tabs.findIndex(([name]) => name === chosen));
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (at + step + tabs.length) % tabs.length;
    choose(tabs[next][0]);
    bar.current.children[next].focus();
  };
  return (
    <div class="tabs">
      <div role="tablist" aria-label={label} ref={bar} onKeyDown={move}>
        {tabs.map(([name], index) => (
          <button type="button" role="tab" aria-selected={index === at} tabIndex={index === at ? 0 : -1} onClick={() => choose(name)}>{name}</button>
        ))}
      </div>
      <div role="tabpanel" aria-label={tabs[at][0]}>{tabs[at][1]()}</div>
    </div>
  );
}

/** A promise as {value, error}; asked again when one of `inputs` changes. */
export function useAsync(ask, inputs) {
  const [state, set] = useState({});
  useEffect(() => {
    let current = true;
    set({});
    ask().then((value) => current && set({ value }), (error) => current && set({ error }));
    return () => { current = false; };
  }, inputs);
  return state;
}
