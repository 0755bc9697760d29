// Copies what the browser needs out of node_modules into static/vendor/ (git-ignored). Run by the set-up after `npm ci`.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const inter = "@fontsource-variable/inter";
const COPIES = [
  [`${inter}/files/inter-latin-wght-normal.woff2`, "inter/latin.woff2"],
  [`${inter}/files/inter-latin-ext-wght-normal.woff2`, "inter/latin-ext.woff2"],
  [`${inter}/files/inter-greek-wght-normal.woff2`, "inter/greek.woff2"],
  [`${inter}/files/inter-cyrillic-wght-normal.woff2`, "inter/cyrillic.woff2"],
  [`${inter}/LICENSE`, "inter/LICENSE"],
  ["uplot/dist/uPlot.esm.js", "uplot/uplot.js"],
  ["uplot/dist/uPlot.min.css", "uplot/uplot.css"],
  ["uplot/LICENSE", "uplot/LICENSE"],
];

rmSync(join(root, "static/vendor"), { recursive: true, force: true });
for (const [from, to] of COPIES) {
  const target = join(root, "static/vendor", to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(root, "node_modules", from), target);
}
