// A form from a JSON Schema. A value that is undefined is left out of the arguments.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { choices, form, initial, read, summary, titled } from "./schema.js";
import { bytes, parsed, shown, unescaped } from "./text.js";
import { Words } from "./ui.jsx";

const FOLDED = 8; // optional arguments that are shown at once
const DEEP = 6;
const LARGE = 3_000_000; // bytes of a file: a message may have 4 MiB, and base64 takes a third more

/** A member by its name, which may be one that every object of JavaScript inherits. */
const member = (values, name) => (Object.hasOwn(values, name) ? values[name] : undefined);

export function ArgumentForm({ schema, values, onChange }) {
  const [all, showAll] = useState(false);
  const properties = Object.entries(schema?.properties ?? {});
  const required = new Set(Array.isArray(schema?.required) ? schema.required : []);
  const first = properties.filter(([name]) => required.has(name));
  const others = properties.filter(([name]) => !required.has(name));
  const visible = all ? others : others.filter(([name], index) => index < FOLDED || member(values, name) !== undefined);
  const set = (name, value) => {
    const { [name]: _, ...rest } = values;
    onChange(value === undefined ? rest : { ...rest, [name]: value });
  };
  if (!properties.length) return <p class="quiet">It takes no arguments.</p>;
  return (
    <>
      {[...first, ...visible].map(([name, each]) => (
        <Field key={name} name={name} given={each} root={schema} value={member(values, name)} required={required.has(name)} depth={0} onChange={(value) => set(name, value)} />
      ))}
      {visible.length < others.length && <button type="button" class="link" onClick={() => showAll(true)}>Show {others.length - visible.length} more optional arguments</button>}
    </>
  );
}

function Field({ name, given, root, value, required, onChange, depth, extra, unmarked }) {
  const id = useId();
  const as = read(given, root);
  const { schema } = as;
  const grouped = ["object", "map", "array", "choice"].includes(as.kind) && depth < DEEP;
  const prose = shown(schema.description ?? "", 600);
  const about = prose || schema.default !== undefined ? `${id}-about` : undefined;
  const head = (
    <>
      <span class="name">{shown(name, 80)}</span>{required && !unmarked && <span class="required" title="required" aria-hidden="true">*</span>}{required && !unmarked && grouped && <span class="hidden"> required</span>}
      {" "}<span class="type">{summary(given, root)}{schema.deprecated && " · deprecated"}</span>
    </>
  );
  const told = about && (
    <p class="about" id={about}><Words limit={601}>{prose}</Words>{prose && schema.default !== undefined && " "}{schema.default !== undefined && <>Default <code>{shown(JSON.stringify(schema.default), 80)}</code></>}</p>
  );
  const none = as.nullable && (
    <label class="null"><input type="checkbox" checked={value === null} onChange={(event) => onChange(event.currentTarget.checked ? null : undefined)} /> null<span class="hidden"> for {shown(name, 80)}</span></label>
  );
  const Control = depth < DEEP ? CONTROLS[as.kind] : AnyJson;
  const control = value === null && as.nullable ? null : (
    <Control id={id} name={name} as={as} root={root} value={value} required={required} onChange={onChange} depth={depth} about={about} />
  );
  return grouped ? (
    <fieldset class="field" aria-describedby={about}><legend>{head}</legend>{told}{none}{control}{extra}</fieldset>
  ) : (
    <div class="field"><div class="line"><label for={id}>{head}</label>{none}{extra}</div>{control}{told}</div>
  );
}

/** Takes what is pasted as it is: a field of one line would lose the ends of lines, so it then becomes one of several. */
const pasted = (onChange) => (event) => {
  const { value, selectionStart, selectionEnd } = event.currentTarget;
  const text = event.clipboardData.getData("text/plain").replaceAll("\r\n", "\n");
  if (!text.trim().includes("\n")) return;
  event.preventDefault();
  onChange(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
};

const LONG = /body|text|content|message|description|markdown|comment/i;
const Text = ({ id, name, as: { schema }, value, required, onChange, about }) => {
  const hint = schema.examples?.[0] ?? schema.example ?? { date: "2026-01-31", "date-time": "2026-01-31T12:00:00Z", uuid: "00000000-0000-0000-0000-000000000000" }[schema.format] ?? "";
  const common = { id, dir: "auto", value: value ?? "", "aria-describedby": about, "aria-required": required, placeholder: shown(typeof hint === "string" ? hint : JSON.stringify(hint), 80), onInput: (event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value) };
  const isLong = schema.maxLength > 300 || (schema.maxLength === undefined && !schema.format && !schema.pattern && LONG.test(`${name} ${schema.title ?? ""}`));
  return isLong || String(value ?? "").includes("\n") ? <textarea rows={3} {...common} /> : <input type="text" autocomplete="off" {...common} onPaste={pasted(onChange)} />;
};

// A number stays as it is typed until it is one: "1.0" may become 1.05, and no long number loses its last digits.
const asNumber = (text) => (Number.isFinite(Number(text)) && String(Number(text)) === text ? Number(text) : text);
const Numeric = ({ id, value, required, onChange, about, as }) => (
  <input type="text" inputmode={as.integer ? "numeric" : "decimal"} autocomplete="off" id={id} value={value ?? ""} aria-required={required} aria-describedby={about} onInput={(event) => onChange(event.currentTarget.value === "" ? undefined : asNumber(event.currentTarget.value.trim()))} />
);

const Selected = ({ id, all, value, required, onChange, about, texts = all.map((each) => (typeof each === "string" ? each : JSON.stringify(each))) }) => (
  <select id={id} aria-describedby={about} aria-required={required} value={all.indexOf(value)} onChange={(event) => onChange(all[Number(event.currentTarget.value)])}>
    <option value={-1}>{required ? "choose…" : "—"}</option>
    {texts.map((text, index) => <option value={index}>{shown(text, 120)}</option>)}
  </select>
);
const Enum = (props) => <Selected {...props} all={choices(props.as.schema)} />; // a list tells long ones in words
const Bool = (props) => <Selected {...props} all={[true, false]} />;

const FILE = /^data:[^,;]{0,200};name=([^,;]{0,400});base64,/;

/** The name and the size of a file that was chosen before. */
function remembered(value) {
  const found = value?.length > 200 && FILE.exec(value);
  return found ? { name: unescaped(found[1]), size: Math.floor(((value.length - found[0].length) * 3) / 4) } : null;
}

function File({ id, value, onChange, about, as, required }) {
  const [chosen, choose] = useState(() => remembered(value));
  const [problem, setProblem] = useState("");
  useEffect(() => { if (!value) choose(null); }, [value]);
  const take = (file) => {
    if (!file) return;
    if (file.size > LARGE) {
      setProblem(`${bytes(file.size)} are too many: a message takes files up to ${bytes(LARGE)}`);
      return;
    }
    const reader = new FileReader();
    reader.onload = () => {
      const [, data] = String(reader.result).split(",", 2);
      const type = file.type || "application/octet-stream";
      setProblem("");
      choose(file);
      onChange(`data:${type};name=${encodeURIComponent(file.name)};base64,${data ?? ""}`);
    };
    reader.onerror = () => setProblem("the file could not be read");
    reader.readAsDataURL(file);
  };
  return (
    <div class="file" onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); take(event.dataTransfer.files[0]); }}>
      {chosen ? (
        <span class="picked">{shown(chosen.name, 80)} · {bytes(chosen.size)} <button type="button" class="link" onClick={() => onChange(undefined)}>Remove</button></span>
      ) : (
        <>
          <input type="file" id={id} aria-describedby={about} aria-required={required} accept={/^[\w.+-]+\/[\w.+*-]+$/.test(schemaType(as)) ? schemaType(as) : undefined} onChange={(event) => take(event.currentTarget.files[0])} />
          <input type="text" class="mono" aria-label="Base64 text or a data: URI instead of a file" placeholder="or Base64 text, or a data: URI" value={value ?? ""} onInput={(event) => onChange(event.currentTarget.value || undefined)} />
        </>
      )}
      {problem && <p class="problem" role="alert">{problem}</p>}
    </div>
  );
}
const schemaType = ({ schema }) => String(schema.contentMediaType ?? "");

function List({ name, as: { schema }, root, value, onChange, depth }) {
  const items = Array.isArray(value) ? value : [];
  const keys = useRef({ next: 0, all: [] }).current; // of the items, so that what is shown of one goes with it
  while (keys.all.length < items.length) keys.all.push(keys.next++);
  keys.all.length = items.length;
  const set = (index, each) => onChange(items.map((old, at) => (at === index ? each === undefined ? initial(schema.items ?? {}, root) ?? null : each : old)));
  const remove = (index) => {
    keys.all.splice(index, 1);
    onChange(items.length === 1 ? undefined : items.filter((_, at) => at !== index));
  };
  return (
    <>
      {items.map((each, index) => (
        <Field key={keys.all[index]} name={String(index + 1)} given={schema.items ?? {}} root={root} value={each} required unmarked depth={depth + 1} onChange={(changed) => set(index, changed)}
          extra={<button type="button" class="link remove" aria-label={`Remove item ${index + 1} of ${shown(name, 80)}`} onClick={() => remove(index)}>Remove</button>} />
      ))}
      <button type="button" class="add" onClick={() => onChange([...items, initial(schema.items ?? {}, root) ?? null])}>+ Add to {shown(name, 80)}</button>
    </>
  );
}

function Group({ name, as: { schema }, root, value, required, onChange, depth }) {
  const properties = schema.properties ?? {};
  const needed = new Set(Array.isArray(schema.required) ? schema.required : []);
  if (value === undefined && !required) return <button key="add" type="button" class="add" onClick={() => onChange(initial(schema, root))}>+ Add {shown(name, 80)}</button>;
  const own = value && typeof value === "object" && !Array.isArray(value) ? value : {};
  const set = (key, each) => {
    const { [key]: _, ...rest } = own;
    onChange(each === undefined ? rest : { ...rest, [key]: each });
  };
  const open = schema.additionalProperties && typeof schema.additionalProperties === "object";
  return (
    <>
      {Object.entries(properties).map(([key, each]) => (
        <Field key={key} name={key} given={each} root={root} value={member(own, key)} required={needed.has(key)} depth={depth + 1} onChange={(changed) => set(key, changed)} />
      ))}
      {open && <Pairs name={name} known={properties} given={schema.additionalProperties} root={root} value={own} onChange={onChange} depth={depth} />}
      {!required && <button key="leave" type="button" class="link" onClick={() => onChange(undefined)}>Leave {shown(name, 80)} out</button>}
    </>
  );
}

/** Members with names of one's own. */
function Pairs({ name, known = {}, given, root, value, onChange, depth }) {
  const [key, setKey] = useState("");
  const own = value && typeof value === "object" && !Array.isArray(value) ? value : {};
  const inner = given && typeof given === "object" ? given : {};
  const add = () => {
    if (!key || Object.hasOwn(own, key)) return;
    onChange({ ...own, [key]: initial(inner, root) ?? null });
    setKey("");
  };
  const set = (each, changed) => onChange({ ...own, [each]: changed === undefined ? initial(inner, root) ?? null : changed });
  return (
    <>
      {Object.keys(own).filter((each) => !Object.hasOwn(known, each)).map((each) => (
        <Field key={each} name={each} given={inner} root={root} value={own[each]} required unmarked depth={depth + 1} onChange={(changed) => set(each, changed)}
          extra={<button type="button" class="link remove" aria-label={`Remove ${shown(each, 80)}`} onClick={() => { const { [each]: _, ...rest } = own; onChange(rest); }}>Remove</button>} />
      ))}
      <div class="pair">
        <input type="text" aria-label={`Name of a new member of ${shown(name, 80)}`} placeholder="name" value={key} onInput={(event) => setKey(event.currentTarget.value)} onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} />
        <button type="button" class="add" onClick={add} disabled={!key}>+ Add member</button>
      </div>
    </>
  );
}

const Open = (props) => <Pairs {...props} given={props.as.schema.additionalProperties} />;

/** One of several forms; whichever is chosen makes the value anew, and stays while it is emptied. */
function Choice({ name, as, root, value, required, onChange, depth, id }) {
  const [at, choose] = useState(() => form(as.choices, value, root));
  const titles = as.choices.map((each, index) => shown(titled(each, root, `form ${index + 1}`), 60));
  const pick = (event) => {
    const next = Number(event.currentTarget.value);
    choose(next);
    onChange(next < 0 ? undefined : initial(as.choices[next], root));
  };
  return (
    <>
      <select id={id} aria-label={`Form of ${shown(name, 80)}`} aria-required={required} value={at} onChange={pick}>
        <option value={-1}>{required ? "choose a form…" : "—"}</option>
        {titles.map((title, index) => <option value={index}>{title} ({summary(as.choices[index], root)})</option>)}
      </select>
      {at >= 0 && as.choices[at] && <Field key={at} name={titles[at]} given={as.choices[at]} root={root} value={value} required unmarked depth={depth + 1} onChange={onChange} />}
    </>
  );
}

/** `ofArguments`: only an object may be typed. */
export function AnyJson({ id, value, required, onChange, about, rows = 3, label, ofArguments }) {
  const told = useId();
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [problem, setProblem] = useState("");
  const type = (event) => {
    const typed = event.currentTarget.value;
    setText(typed);
    try {
      const read = typed.trim() === "" ? undefined : parsed(typed);
      if (ofArguments && read !== undefined && (read === null || typeof read !== "object" || Array.isArray(read))) throw new Error('arguments are an object, as in {"name": "value"}');
      onChange(read);
      setProblem("");
      event.currentTarget.setCustomValidity("");
    } catch (error) {
      setProblem(shown(error.message, 160));
      event.currentTarget.setCustomValidity("no JSON");
    }
  };
  return (
    <>
      <textarea id={id} class="mono" rows={rows} spellcheck={false} aria-label={label} aria-required={required} aria-describedby={[about, problem && told].filter(Boolean).join(" ") || undefined} aria-invalid={problem !== ""} placeholder="JSON" value={text} onInput={type} />
      {problem && <p class="problem" id={told}>{problem}</p>}
    </>
  );
}

const CONTROLS = { enum: Enum, boolean: Bool, number: Numeric, file: File, text: Text, array: List, object: Group, map: Open, choice: Choice, any: AnyJson };
