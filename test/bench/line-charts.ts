/** One chart: a title and points from left to right. */
export interface LineChart {
  readonly title: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const COLUMNS = 2;
const WIDTH = 440;
const HEIGHT = 170;
const PLOT = { left: 58, top: 30, width: 366, height: 104 };

/** An SVG of small charts in two columns, each from zero up to its own highest value. @param below what the points are counted by */
export function lineCharts(charts: readonly LineChart[], below: string): string {
  const rows = Math.ceil(charts.length / COLUMNS);
  const drawn = charts.map((chart, index) => {
    const [x, y] = [(index % COLUMNS) * WIDTH, Math.floor(index / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">\n${chartBody(chart, below)}\n</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${COLUMNS * WIDTH} ${rows * HEIGHT}" font-family="system-ui, sans-serif" font-size="11" fill="#444" role="img">
<title>${escaped(charts.map(({ title }) => title).join("; "))}</title>
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join("\n")}
</svg>
`;
}

function chartBody({ title, points }: LineChart, below: string): string {
  const { left, top, width, height } = PLOT;
  const right = Math.max(1, ...points.map(([x]) => x));
  const highest = roundedUp(Math.max(1, ...points.map(([, y]) => y)));
  const place = ([x, y]: readonly [number, number]): string =>
    `${(left + (x / right) * width).toFixed(1)},${(top + height - (y / highest) * height).toFixed(1)}`;
  const ticks = [0, 0.5, 1].map((share) => {
    const y = top + height - share * height;
    return `<path d="M${left} ${y}h${width}" stroke="#ddd"/><text x="${left - 6}" y="${y + 4}" text-anchor="end">${numberText(highest * share)}</text>`;
  });
  const bottom = top + height + 16;
  return `<text x="${left}" y="${top - 10}" font-size="13" fill="#111">${escaped(title)}</text>
${ticks.join("\n")}
<text x="${left}" y="${bottom}">0</text><text x="${left + width}" y="${bottom}" text-anchor="end">${numberText(right)} ${escaped(below)}</text>
<polyline fill="none" stroke="#0b6bcb" stroke-width="1.5" points="${points.map(place).join(" ")}"/>`;
}

/** The next number of one digit, or one and a half or two and a half, and zeros: a scale that reads well. */
function roundedUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8].find((step) => step * power >= value) ?? 10) * power;
}

function numberText(value: number): string {
  return value >= 10_000 ? value.toLocaleString("en").replaceAll(",", " ") : String(Math.round(value * 100) / 100);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
