// A result as the client gets it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { bytes, indented, readable, seconds, shown } from "./text.js";
import { Chip, Cut, Json, Tabs } from "./ui.jsx";

const INDENTED = 200_000; // characters of JSON that are read to be shown in lines
const PICTURES = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)$/;
const SOUNDS = /^audio\/[\w.+-]+$/;
const META = "openapi-mcp-server/";

/** What a screen reader says at once: the result itself may be long. */
export const verdict = ({ result, error }) => (error ? "Refused" : result?.isError ? "The tool reports an error" : "Result");

export function Result({ outcome }) {
  const { reply, took, size } = outcome;
  const { result, error } = reply;
  const meta = result?._meta ?? {};
  const failed = Boolean(error || result?.isError);
  const coerced = meta[`${META}coerced`];
  const tabs = [];
  const box = useRef();
  useEffect(() => { box.current.scrollIntoView({ block: "nearest" }); }, [outcome]);
  if (result) tabs.push(["Content", () => <>{(result.content ?? []).map((content) => <Content content={content} />)}{!result.content?.length && <p class="quiet">No content.</p>}</>]);
  if (result?.structuredContent !== undefined) tabs.push(["Structure", () => <Json text={readable(result.structuredContent)} label="Structured content" />]);
  tabs.push(["JSON-RPC answer", () => <Json text={readable(reply)} label="The whole answer" />]);
  return (
    <section ref={box} class={`result ${failed ? "failed" : "good"}`} aria-label="Result">
      <header>
        <h3>{verdict(reply)}</h3>
        <Chip>{seconds(took)}</Chip><Chip>{bytes(size)}</Chip>
        {meta[`${META}truncated`] && <Chip tone="warn">truncated</Chip>}
        {meta[`${META}outputMismatch`] && <Chip tone="warn">not as documented</Chip>}
        {coerced && <Chip tone="warn">arguments were converted</Chip>}
      </header>
      {error && <p class="problem" role="alert">{shown(error.message, 2000)} <span class="quiet">({error.code})</span></p>}
      <Tabs label="Forms of the result" tabs={tabs} key={tabs.map(([name]) => name).join()} />
    </section>
  );
}

function Content({ content }) {
  const resource = content.type === "resource" ? content.resource ?? {} : {};
  const type = String(content.mimeType ?? resource.mimeType ?? "");
  const data = content.data ?? resource.blob;
  if (content.type === "text") return <Long text={content.text} />;
  if (typeof resource.text === "string") return <Long text={resource.text} />;
  if (typeof data !== "string") return <Json text={readable(content)} label="Content" />;
  return (
    <figure>
      {PICTURES.test(type) && <img src={`data:${type};base64,${data}`} alt="The picture that the tool answered" />}
      {SOUNDS.test(type) && <audio controls aria-label="The sound that the tool answered" src={`data:${type};base64,${data}`} />}
      <figcaption>{shown(type, 80)} · {bytes(Math.floor((data.length * 3) / 4))} <Download data={data} type={type} name={String(resource.uri ?? "").split("/").pop()} /></figcaption>
    </figure>
  );
}

/** A file of any type is only ever kept, never shown: the browser is told that it is bytes. */
function Download({ data, type, name }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    let made = "";
    try {
      made = URL.createObjectURL(new Blob([Uint8Array.from(atob(data), (char) => char.charCodeAt(0))], { type: "application/octet-stream" }));
    } catch { /* no Base64 */ }
    setUrl(made);
    return () => { if (made) URL.revokeObjectURL(made); };
  }, [data]);
  const ending = /^[\w.-]{1,80}$/.test(name) ? name : `answer.${type.split("/").pop().replace(/\W.*/, "") || "bin"}`;
  return url && <a href={url} download={ending}>Save</a>;
}

function Long({ text }) {
  const json = useMemo(() => {
    if (text.length > INDENTED) return undefined;
    try {
      return indented(text);
    } catch {
      return undefined;
    }
  }, [text]);
  if (json !== undefined) return <Json text={json} label="Text content" />;
  return <Cut text={text}>{(part) => <pre class="text" role="group" tabIndex={0} aria-label="Text content">{part}</pre>}</Cut>;
}

