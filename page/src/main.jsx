import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Connect } from "./connect.jsx";
import { Cost } from "./cost.jsx";
import { Documents } from "./documents.jsx";
import { Health } from "./health.jsx";
import { ToolList } from "./list.jsx";
import { Overview } from "./overview.jsx";
import { keepFocus } from "./focus.js";
import { catalog as fetchCatalog, NEEDED, onTokenNeeded, report } from "./server.js";
import { shown } from "./text.js";
import { ToolPage } from "./tool.jsx";
import { Problem, useAsync } from "./ui.jsx";

const VIEWS = [["#/", "Tools"], ["#/cost", "Cost"], ["#/documents", "Document"], ...(report ? [] : [["#/health", "Health"], ["#/connect", "Connect"]])];
const THEMES = ["auto", "light", "dark"];
const remembered = new Map(); // what was typed into each tool's form

function useRoute() {
  const read = () => location.hash || "#/";
  const [route, set] = useState(read);
  useEffect(() => {
    const changed = () => set(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

function useTheme() {
  const [theme, set] = useState(() => {
    try {
      return THEMES.find((each) => each === localStorage.getItem("theme")) ?? "auto";
    } catch {
      return "auto";
    }
  });
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("theme", theme); } catch { /* then it is for this page only */ }
  }, [theme]);
  return [theme, () => set(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])];
}

/** Asks for a token when the server wants one, and again when it has expired. */
function TokenDialog({ onGiven }) {
  const box = useRef();
  const [wait, setWait] = useState(null);
  const [text, setText] = useState("");
  useEffect(() => {
    onTokenNeeded((again) => new Promise((give, refuse) => {
      setText("");
      setWait({ again, give, refuse });
      box.current.showModal();
    }));
  }, []);
  const submit = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    box.current.close("given");
    onGiven();
    wait.give(text.trim());
  };
  const closed = () => { if (box.current.returnValue !== "given") wait?.refuse(new Error(NEEDED)); box.current.returnValue = ""; };
  return (
    <dialog ref={box} onClose={closed} aria-labelledby="token-title">
      <form onSubmit={submit}>
        <h2 id="token-title">{wait?.again ? "The token was not accepted" : "This server asks for a token"}</h2>
        <p>{wait?.again ? "It has expired, or it is none of this server's." : "It is what your client sends as its bearer token."} It stays in the memory of this tab, and is sent to this server only.</p>
        <label for="token">Token</label>
        <input id="token" type="password" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <div class="actions"><button type="submit" class="primary">Use it</button><button type="button" onClick={() => box.current.close("")}>Cancel</button></div>
      </form>
    </dialog>
  );
}

function App() {
  const route = useRoute();
  const [theme, nextTheme] = useTheme();
  const [filter, setFilter] = useState({ query: "", api: "", tag: "", method: "" });
  const [secured, setSecured] = useState(false);
  const { value: catalog, error } = useAsync(fetchCatalog, []);
  useEffect(() => {
    const keys = (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(input|textarea|select)$/i.test(event.target.tagName)) return;
      event.preventDefault();
      if (!document.getElementById("search")) location.hash = "#/";
      requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("search")?.focus()));
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  const title = catalog && shown(catalog.apis.length === 1 ? catalog.apis[0].title || catalog.apis[0].name : catalog.name, 80);
  const name = /^#\/tool\/([\w-]{1,64})$/.exec(route)?.[1];
  const [current, view] = VIEWS.find(([hash]) => hash === route && !name) ?? VIEWS[0];
  useEffect(() => { if (title) document.title = `${name ?? view} · ${title}`; }, [title, name, view]); // as the browser's history lists it
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
      <header class="top">
        <h1><a class="brand" href="#/"><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M9 8c-3 2-3 14 0 16M23 8c3 2 3 14 0 16M13 16h6m-3-3v6" /></svg><span>{title ?? "OpenAPI tools"}</span></a></h1>
        <nav aria-label="Views">{VIEWS.map(([hash, label]) => <a href={hash} aria-current={hash === current ? "page" : undefined}>{hash === "#/documents" && catalog?.apis.length > 1 ? "Documents" : label}</a>)}</nav>
        <button type="button" class="theme" onClick={nextTheme} aria-label={`Colours: ${theme}. Change`} title={`Colours: ${theme}`}><svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="8" /><path d="M12 4a8 8 0 0 1 0 16z" /></svg><span>{theme}</span></button>
      </header>
      <main id="main" tabIndex={-1}>
        {error && <Problem error={error} />}
        {!catalog && !error && <p class="empty" role="status">Reading the catalog…</p>}
        {catalog && <View {...{ current, name, catalog, filter, setFilter, secured }} />}
      </main>
      <TokenDialog onGiven={() => setSecured(true)} />
    </>
  );
}

function View({ current, name, catalog, filter, setFilter, secured }) {
  switch (current) {
    case "#/cost": return <Cost catalog={catalog} />;
    case "#/documents": return <Documents catalog={catalog} />;
    case "#/health": return <Health />;
    case "#/connect": return <Connect catalog={catalog} secured={secured} />;
    default: {
      const tool = name && catalog.tools.find((each) => each.name === name);
      return (
        <div class={`split ${name ? "chosen" : ""}`}>
          <aside aria-label="Tools"><ToolList tools={catalog.tools} filter={filter} setFilter={setFilter} chosen={name} /></aside>
          <div class="detail">{tool ? <ToolPage tool={tool} remembered={remembered} /> : name ? <p class="empty">There is no tool {name}. <a href="#/">All tools</a></p> : <Overview catalog={catalog} filter={filter} />}</div>
        </div>
      );
    }
  }
}

const app = document.getElementById("app");
keepFocus(app);
render(<App />, app);
