"use strict";
(() => {
  const byId = (name) => document.getElementById(name);

  // Tables: tab-separated text to the clipboard, or at least a selection.
  const textOf = (table) =>
    [...table.rows]
      .map((row) => [...row.cells].filter((cell) => !cell.classList.contains("bar")))
      .map((cells) => cells.map((cell) => cell.textContent.trim()).join("\t"))
      .join("\n");

  const copyByEvent = (text) => {
    const setData = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    };
    document.addEventListener("copy", setData, { once: true });
    const copied = document.execCommand("copy");
    document.removeEventListener("copy", setData);
    return copied;
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyByEvent(text);
    }
  };

  const announce = (button, words) => {
    byId("status").textContent = words;
    button.textContent = words;
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  };

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const table = byId(button.dataset.copy).querySelector("table");
      if (await copy(textOf(table))) {
        announce(button, "Copied");
      } else {
        getSelection().selectAllChildren(table);
        announce(button, "Selected");
      }
    });
  }

  // The forecast: one curve at a time.
  const figure = byId("explorer-figure");
  if (!figure) return;
  const data = JSON.parse(byId("explorer-data").textContent);
  const [chooser, logX, logY] = ["explorer-line", "explorer-x", "explorer-y"].map(byId);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };

  const band = (line, name, lower, upper, fill) => [
    { x: line.sizes, y: line[name][lower], mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false },
    { x: line.sizes, y: line[name][upper], mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: fill.colour, name: fill.name, hoverinfo: "skip" },
  ];

  const edges = (line, levels, dash, name, colour) =>
    levels.map((level, i) => ({
      x: line.sizes, y: line.mean[level], mode: "lines", line: { color: colour, width: 1, dash },
      name, legendgroup: name, showlegend: i === 0, hoverinfo: "skip",
    }));

  const points = (runs, name, marker) => ({
    x: runs[0], y: runs[1], mode: "markers", name, marker,
    hovertemplate: "%{y:.4~g}<extra>" + name + "</extra>",
  });

  const median = (line, colour) => ({
    x: line.sizes, y: line.mean["50%"], mode: "lines", name: "median", line: { color: colour, width: 2.2 },
    customdata: line.sizes.map((_, i) =>
      ["mean", "new_run"].flatMap((what) => ["5%", "25%", "75%", "95%"].map((level) => line[what][level][i]))),
    hovertemplate:
      "%{y:.4~g}<br>curve 50%: %{customdata[1]:.4~g} to %{customdata[2]:.4~g}" +
      "<br>curve 90%: %{customdata[0]:.4~g} to %{customdata[3]:.4~g}" +
      "<br>new run 50%: %{customdata[5]:.4~g} to %{customdata[6]:.4~g}" +
      "<br>new run 90%: %{customdata[4]:.4~g} to %{customdata[7]:.4~g}<extra>median</extra>",
  });

  const traces = (line, colour) => [
    ...band(line, "new_run", "5%", "95%", { colour: colour("band-90"), name: "new run, 90%" }),
    ...band(line, "new_run", "25%", "75%", { colour: colour("band-50"), name: "new run, 50%" }),
    ...edges(line, ["5%", "95%"], "dash", "curve, 90%", colour("accent")),
    ...edges(line, ["25%", "75%"], "dot", "curve, 50%", colour("accent")),
    median(line, colour("accent")),
    points(line.fitted, "fitted", { color: colour("point"), size: 6 }),
    points(line.later, "held out", { color: colour("open"), size: 8, symbol: "circle-open", line: { width: 2 } }),
  ].filter((trace) => trace.x.length);

  const axis = (title, isLog, values, colour) => {
    const positive = values.filter((value) => value > 0);
    const decades = Math.log10(Math.max(...positive) / Math.min(...positive));
    const plain = Math.min(...positive) > 1e-4 && Math.max(...positive) < 1e5;
    return {
      title: { text: title.replaceAll("<", "&lt;"), standoff: 8 }, type: isLog ? "log" : "linear",
      exponentformat: "power", tickformat: plain ? "~g" : undefined,
      dtick: isLog ? (decades > 2.5 ? 1 : "D2") : undefined, nticks: 6,
      gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true,
    };
  };

  const beyond = (line, colour) => {
    const last = line.sizes.at(-1);
    if (line.start >= last) return [];
    return [{
      type: "rect", layer: "below", yref: "paper", x0: Math.max(line.start, line.sizes[0]), x1: last, y0: 0, y1: 1,
      fillcolor: colour("shade"), line: { width: 0 },
      label: { text: "extrapolated", textposition: "top right", font: { size: 12, color: colour("soft") } },
    }];
  };

  const layout = (line, colour) => ({
    xaxis: axis(data.predictor, logX.checked, line.sizes, colour),
    yaxis: axis(data.response, logY.checked, line.new_run["95%"].concat(line.new_run["5%"]), colour),
    shapes: beyond(line, colour), hovermode: "x unified",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
    hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), font: { color: colour("ink") } },
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 }, margin: { l: 10, r: 10, t: 10, b: 10 },
  });

  const draw = () => {
    const line = data.lines[Number(chooser.value)], colour = colours();
    byId("explorer-sentence").textContent = line.sentence;
    Plotly.react(figure, traces(line, colour), layout(line, colour), {
      responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    });
  };

  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  unpack(byId("plotly").textContent).then((program) => {
    const script = document.createElement("script");
    script.textContent = program;
    document.head.append(script);
    for (const control of [chooser, logX, logY]) control.addEventListener("change", draw);
    dark.addEventListener("change", draw);
    draw();
  });
})();
