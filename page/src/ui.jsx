// Small parts that every view uses. Text of strangers always goes through `shown`.
import { useEffect, useRef, useState } from "preact/hooks";
import { shown } from "./text.js";

export const T = ({ children, limit }) => <bdi>{shown(children, limit)}</bdi>;
/** The words of a document's description: what stands between backticks is code, as CommonMark has it; no other markup. */
export const Words = ({ children, limit }) => <bdi>{shown(children, limit).split(/`([^`\n]{1,120})`/).map((part, at) => (at % 2 ? <code>{part}</code> : part))}</bdi>;
export const Method = ({ of }) => <span class={`method m-${String(of).toLowerCase().replace(/[^a-z]/g, "")}`}>{shown(of, 8)}</span>;
export const Chip = ({ children, tone = "" }) => <span class={`chip ${tone}`}>{children}</span>;
export const Problem = ({ error }) => <p class="problem" role="alert">{shown(error.message ?? error)}</p>;

export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      setDone(true);
    } catch { /* where the browser keeps its clipboard to itself, the text can still be marked */ }
  };
  return <button type="button" class="copy" onClick={copy} aria-label={`${label} to the clipboard`}>{done ? "Copied" : label}</button>;
}

export const Code = ({ text, copied = text, label }) => (
  <div class="code"><pre tabIndex={0} aria-label={label}>{text}</pre><Copy text={copied} label="Copy" /></div>
);

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const COLOURED = 40_000; // characters; each word of colour is an element

/** JSON in colours, as long as it is short enough for that. */
export function Json({ text: given, label }) {
  const text = shown(given, Infinity);
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
  return <pre class="json" tabIndex={0} aria-label={label}>{parts.length ? parts : text}</pre>;
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
