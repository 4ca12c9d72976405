// What the process does now, by its own numbers.
import { useEffect, useState } from "preact/hooks";
import { Bar } from "./cost.jsx";
import { health as ask, NEEDED } from "./server.js";
import { compact, duration, number, plural, seconds, shown } from "./text.js";
import { Chip, Problem } from "./ui.jsx";

const EVERY = 2000; // milliseconds

export function Health() {
  const [state, set] = useState({});
  useEffect(() => {
    const stop = new AbortController();
    let timer;
    const look = async () => {
      if (!document.hidden) {
        try {
          set({ value: await ask(stop.signal) });
        } catch (error) {
          if (stop.signal.aborted) return;
          set((before) => ({ ...before, error }));
          if (error.message === NEEDED) return; // nobody wants to be asked again every two seconds
        }
      }
      timer = setTimeout(look, EVERY);
    };
    look();
    return () => { stop.abort(); clearTimeout(timer); };
  }, []);
  return (
    <article class="wide">
      <h2>Health</h2>
      {state.error && <Problem error={state.error} />}
      {state.value && <Numbers of={state.value} />}
    </article>
  );
}

function Numbers({ of }) {
  return (
    <>
      <ul class="cards">
        <Card title="state" value={of.status} tone={of.status === "ready" ? "good" : "warn"}>{of.status === "draining" ? `calls in flight have ${duration(of.grace_seconds)}` : `up for ${duration(of.uptime_seconds)}, version ${of.version}`}</Card>
        {of.series && <Rates of={of} />}
        <Card title="last reload" value={of.reload ? of.reload.outcome ?? "not yet" : "off"} tone={of.reload?.outcome === "failed" ? "warn" : ""}>{of.reload?.seconds_ago == null ? <>SPEC_<wbr />REFRESH_<wbr />SECONDS sets how often</> : `${duration(of.reload.seconds_ago)} ago`}</Card>
      </ul>
      {of.series ? <Calls of={of} /> : <p class="note">Numbers of calls are of everybody's, so only those who may call everything see them.</p>}
    </>
  );
}

function Rates({ of }) {
  const minute = of.series.filter((one) => one.seconds_ago < 60);
  const calls = minute.reduce((sum, one) => sum + one.calls, 0);
  const errors = minute.reduce((sum, one) => sum + one.errors, 0);
  return (
    <>
      <Card title="in flight" value={number(of.in_flight)}>messages being answered</Card>
      <Card title="calls in the last minute" value={number(calls)}>{calls < 60 ? "less than one a second" : `${(calls / 60).toFixed(1)} a second`}</Card>
      <Card title="failed of these" value={number(errors)} tone={errors ? "warn" : ""}>{calls ? `${Math.round((100 * errors) / calls)} %` : "no calls"}</Card>
    </>
  );
}

function Calls({ of }) {
  const tools = of.tools.slice().sort((one, other) => other.calls - one.calls);
  const slowest = Math.max(...tools.map((tool) => tool.p95_seconds), 0.001);
  return (
    <>
      {of.workers > 1 && <p class="note">These are the numbers of worker {of.worker} of {of.workers}; the metrics add up all of them.</p>}
      <section class="panel"><h3>Calls over the last {duration(of.series_seconds)}</h3><Series of={of} /></section>
      <section class="panel"><h3>By tool</h3>
        {tools.length ? (
          <div class="scroll"><table>
            <thead><tr><th scope="col">Tool</th><th scope="col" class="n">Calls</th><th scope="col" class="n">Errors</th><th scope="col" class="n">Half within</th><th scope="col" class="n">95 % within</th><th scope="col"><span class="hidden">95 % within, as a bar</span></th><th scope="col" class="n">Longest</th><th scope="col" class="n">Tokens a call</th></tr></thead>
            <tbody>{tools.slice(0, 100).map((tool) => (
              <tr key={tool.name}><th scope="row"><a href={`#/tool/${tool.name}`}>{tool.name}</a></th><td class="n">{number(tool.calls)}</td><td class={`n ${tool.errors ? "bad" : ""}`}>{number(tool.errors)}</td><td class="n">{seconds(tool.p50_seconds)}</td><td class="n">{seconds(tool.p95_seconds)}</td><td class="barcell"><Bar part={tool.p95_seconds / slowest} /></td><td class="n">{seconds(tool.max_seconds)}</td><td class="n">{compact(tool.tokens_per_call)}</td></tr>
            ))}</tbody>
          </table></div>
        ) : <p class="quiet">Nothing has been called yet.</p>}
      </section>
      {of.failures.length > 0 && <section class="panel"><h3>Last failures</h3>
        <ul class="plain">{of.failures.map((one) => <li><Chip tone="bad">{one.outcome.replaceAll("_", " ")}</Chip> <b>{one.tool || one.method || "a message"}</b> {shown(one.error, 80)} {one.status && `· the API answered ${one.status}`} <span class="quiet">{duration(one.seconds_ago)} ago, after {seconds(one.seconds)}</span></li>)}</ul>
      </section>}
    </>
  );
}

const Card = ({ title, value, tone = "", children }) => <li class={`card ${tone}`}><strong>{value}</strong> <span>{title}</span><small>{children}</small></li>;

function Series({ of }) {
  const most = Math.max(0, ...of.series.map((one) => one.calls));
  const width = 600 / of.series_seconds;
  return (
    <>
      <svg class="series" viewBox="0 0 600 80" preserveAspectRatio="none" role="img" aria-label={`${plural(of.series.reduce((sum, one) => sum + one.calls, 0), "call")}, at most ${number(most)} in a second`}>
        <line x1="0" x2="600" y1="79.5" y2="79.5" />
        {of.series.map((one) => {
          const x = 600 - (one.seconds_ago + 1) * width;
          const high = (76 * one.calls) / most;
          const bad = (76 * one.errors) / most;
          return <g key={one.seconds_ago}><rect x={x} y={79 - high} width={width * 0.8} height={high} /><rect class="bad" x={x} y={79 - bad} width={width * 0.8} height={bad} /></g>;
        })}
      </svg>
      <p class="axis quiet" aria-hidden="true"><span>{duration(of.series_seconds)} ago</span><span>{of.series.length ? `the highest: ${number(most)} in a second; red failed` : "no calls"}</span><span>now</span></p>
    </>
  );
}
