// Writes the page into the Python package: `npm ci --ignore-scripts && npm run build`. With a folder, writes it there.
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "../service/openapi_mcp_server/page/assets");
const BROWSERS = ["chrome123", "firefox120", "safari17.5"]; // the first that know light-dark()
const { version } = JSON.parse(await readFile(join(here, "node_modules/preact/package.json"), "utf8"));

await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.jsx" },
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: BROWSERS,
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  banner: { js: `/*! Preact ${version}, MIT, Copyright (c) 2015-present Jason Miller. Source: page/ of the repository. */` },
  outdir: target,
});
await build({
  absWorkingDir: here,
  entryPoints: { page: "src/page.css" },
  minify: true,
  charset: "utf8",
  target: BROWSERS,
  outdir: target,
});
await writeFile(join(target, "page.html"), await readFile(join(here, "src/page.html")));
