"use strict";
(() => {
  const steps = [...document.querySelectorAll("details.step")];
  const rows = steps.map((step) => ({ step, risks: step.dataset.risks.split(" "), text: "" }));
  const buttons = [...document.querySelectorAll(".classes button")];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const expand = document.getElementById("expand");
  const theme = document.getElementById("theme");
  let risk = "";
  let waiting = 0;

  const filter = () => {
    waiting = 0;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      if (words.length && !row.text) row.text = row.step.textContent.toLowerCase();
      const fits = (!risk || row.risks.includes(risk)) && words.every((word) => row.text.includes(word));
      if (row.step.hidden === fits) row.step.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} steps`;
    nothing.hidden = shown > 0 || rows.length === 0;
  };
  // One pass for several quick key strokes.
  const soon = () => { if (!waiting) waiting = requestAnimationFrame(filter); };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      risk = risk === button.dataset.risk ? "" : button.dataset.risk;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.risk === risk));
      filter();
    });
  }
  search.addEventListener("input", soon);
  expand.addEventListener("click", () => {
    const open = expand.getAttribute("aria-pressed") !== "true";
    expand.setAttribute("aria-pressed", String(open));
    expand.textContent = open ? "Collapse shown" : "Expand shown";
    for (const step of steps) if (!step.hidden) step.open = open;
  });
  const themes = ["system", "light", "dark"];
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    root.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });
})();
