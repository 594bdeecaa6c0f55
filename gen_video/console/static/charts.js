// Charts: every [data-chart] of a page is drawn with uPlot, in the colours of the page's theme.

/* global uPlot */

const HEIGHT = 200;
const DAY = { month: "numeric", day: "numeric" };

/** Return the colour that a class has on this page, in this theme. */
function colourOf(className, part = document.body) {
  const probe = document.createElement("span");
  probe.className = className;
  part.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Add the values of bars up, so that each part begins where the one below it ends. */
function stacked(series) {
  const totals = series[0].values.map(() => 0);
  return series.map((one) => one.values.map((value, day) => (totals[day] += value ?? 0)));
}

function dayText(day, language) {
  return new Date(`${day}T12:00:00`).toLocaleDateString(language, DAY);
}

function axisColours(box) {
  return { text: colourOf("quiet", box), line: colourOf("chart-line", box) };
}

function describe(chart, index, language) {
  const unit = chart.unit ? ` ${chart.unit}` : "";
  return chart.series.map((one) => {
    const value = one.values[index];
    const text = value === null ? "–" : value.toLocaleString(language, { maximumFractionDigits: 1 });
    return `${one.label}: ${text}${value === null ? "" : unit}`;
  });
}

/** Show the figures of the day under the pointer. */
function tip(chart, language) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  return {
    hooks: {
      init: (plot) => plot.over.append(box),
      setCursor: (plot) => {
        const index = plot.cursor.idx;
        box.hidden = index === null || index === undefined || plot.cursor.left < 0;
        if (box.hidden) return;
        const title = document.createElement("strong");
        title.textContent = dayText(chart.days[index], language);
        const lines = describe(chart, index, language).map((text) => {
          const line = document.createElement("span");
          line.textContent = text;
          return [line, document.createElement("br")];
        });
        box.replaceChildren(title, ...lines.flat());
        const isRight = plot.cursor.left > plot.over.clientWidth / 2;
        box.style.left = isRight ? "" : `${plot.cursor.left + 14}px`;
        box.style.right = isRight ? `${plot.over.clientWidth - plot.cursor.left + 14}px` : "";
        box.style.top = "8px";
      },
    },
  };
}

/** Draw the target across the chart. */
function targetLine(target, colour) {
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        const y = Math.round(plot.valToPos(target, "y", true));
        ctx.save();
        ctx.strokeStyle = colour;
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.restore();
      },
    },
  };
}

function rangeOf(chart) {
  return (_plot, _least, most) => {
    if (chart.unit === "%") return [0, 100];
    return [0, Math.max(most * 1.1, (chart.target ?? 0) * 1.1, 1)];
  };
}

function seriesOf(chart, box) {
  const parts = chart.series.map((one, index) => {
    const colour = colourOf(`swatch-${index + 1}`, box);
    if (chart.kind === "bars") {
      return { label: one.label, fill: colour, stroke: colour, width: 0, points: { show: false },
        paths: uPlot.paths.bars({ size: [0.62, 34], radius: 0.12 }) };
    }
    return { label: one.label, stroke: colour, width: 2, spanGaps: true,
      points: { show: true, size: 6, fill: colour, stroke: colour } };
  });
  // The tallest bars are drawn first: each part lies before the sum of what is below it.
  return chart.kind === "bars" ? parts.reverse() : parts;
}

function draw(box) {
  const chart = JSON.parse(box.dataset.chart);
  const language = box.dataset.language;
  const colours = axisColours(box);
  const positions = chart.days.map((_, index) => index);
  const values = chart.kind === "bars" ? stacked(chart.series).reverse()
    : chart.series.map((one) => one.values);
  const axis = { stroke: colours.text, font: `12px ${getComputedStyle(box).fontFamily}`,
    grid: { stroke: colours.line, width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      padding: [12, 8, 0, 0],
      scales: {
        x: { time: false, range: [-0.6, chart.days.length - 0.4] },
        y: { range: rangeOf(chart) },
      },
      axes: [
        { ...axis, size: 30, grid: { show: false }, space: 56, incrs: [1, 2, 3, 5, 7, 10, 14, 15, 30],
          values: (_plot, splits) => splits.map((at) =>
            chart.days[at] === undefined ? "" : dayText(chart.days[at], language)) },
        { ...axis, size: 52, incrs: chart.unit ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000],
          values: (_plot, splits) => splits.map((at) =>
            `${at.toLocaleString(language)}${chart.unit ? ` ${chart.unit}` : ""}`) },
      ],
      series: [{}, ...seriesOf(chart, box)],
      plugins: [tip(chart, language),
        ...(chart.target === null ? [] : [targetLine(chart.target, colours.text)])],
    },
    [positions, ...values],
    box,
  );
  return plot;
}

/** Draw a chart, and again when the page or its colours change. */
function keep(box) {
  let plot = draw(box);
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: HEIGHT })).observe(box);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot.destroy();
    plot = draw(box);
  });
}

for (const box of document.querySelectorAll("[data-chart]")) keep(box);
