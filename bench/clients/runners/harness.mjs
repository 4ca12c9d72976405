// The part that all JavaScript runners share; the Python ones have the same in harness.py, where the outcome is described.

import { readFileSync, writeFileSync } from "node:fs";

const CALL_MS = 30_000;
const MESSAGE_CHARACTERS = 400;

// connected(url) → {tools, close?}; name(served), declared(tool) → {name, parameters}, called(tool, arguments) → text
export async function main({ connected, name = (served) => served, declared, called }) {
  const task = JSON.parse(readFileSync(0, "utf8"));
  const served = JSON.parse(readFileSync(task.served, "utf8"));
  const outcome = { lost: {}, unreadable: {}, fewer: {}, twice: [], calls: [], message: "" };
  const warnings = [];
  console.warn = console.error = (...parts) => warnings.push(parts.join(" "));
  try {
    const { tools, close } = await connected(task.url);
    outcome.listed = tools.length;
    const byName = shown(tools, served, name, declared, outcome);
    for (const each of served) {
      if (!byName.has(name(each.name))) {
        outcome.lost[each.name] = shortened(warnings.find((line) => line.includes(each.name)) ?? "");
      }
    }
    for (const call of task.calls) {
      outcome.calls.push(await tried(called, byName.get(name(call.tool)), call));
    }
    await close?.();
  } catch (error) {
    outcome.message = told(error);
    if (!outcome.listed) {
      outcome.listed = 0;
      outcome.lost = Object.fromEntries(served.map((each) => [each.name, ""]));
    }
  }
  writeFileSync(task.outcome, JSON.stringify(outcome));
  process.exit(0); // some clients leave sockets open
}

function shown(tools, served, name, declared, outcome) {
  const wanted = new Map(served.map((each) => [name(each.name), each]));
  const byName = new Map();
  for (const tool of tools) {
    let known = String(tool.name ?? "?");
    try {
      const schema = declared(tool);
      known = schema.name;
      JSON.stringify(schema);
      const each = wanted.get(known);
      const there = schema.parameters?.properties ?? {};
      const leftOut = Object.keys(each?.inputSchema.properties ?? {}).filter((key) => !Object.hasOwn(there, key));
      if (leftOut.length) outcome.fewer[each.name] = leftOut;
    } catch (error) {
      outcome.unreadable[known] = told(error);
    }
    if (byName.has(known)) outcome.twice.push(known);
    else byName.set(known, tool);
  }
  return byName;
}

async function tried(called, tool, call) {
  if (!tool) return { error: "the tool is not there" };
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), CALL_MS);
  });
  try {
    return { text: String(await Promise.race([called(tool, call.arguments), late])) };
  } catch (error) {
    return { error: told(error) };
  } finally {
    clearTimeout(timer);
  }
}

function told(error) {
  return shortened(`${error?.name ?? "Error"}: ${error?.message ?? error}`);
}

function shortened(text) {
  const line = text.split(/\s+/).join(" ");
  return line.length <= MESSAGE_CHARACTERS ? line : `${line.slice(0, MESSAGE_CHARACTERS)}…`;
}

// The text of MCP content blocks.
export function blocks(content) {
  return content.map((block) => block.text ?? JSON.stringify(block)).join("\n");
}
