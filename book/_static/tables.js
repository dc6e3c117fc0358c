// Tables of chestkd.display sort by a click on a heading, or Enter or Space on it, and filter by
// words. Without this script they are whole tables, in the order in which they were made.
(() => {
  "use strict";

  const FEWEST_ROWS_TO_SORT = 2;
  const FEWEST_ROWS_TO_FILTER = 6;
  // Characters of a cell from which on its column stays wide where the table scrolls.
  const LONGEST_WORDS = 40;
  // The number that a cell begins with: 0.41 (0.38 to 0.45), +5.5, 2,272, 12 %. Not 8-bit.
  const LEADING_NUMBER = /^[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w-])/i;

  const words = (element) => element.textContent.trim();

  function leadingNumber(text) {
    const found = text.replace("\u2212", "-").match(LEADING_NUMBER);
    return found ? Number(found[0].replaceAll(",", "")) : NaN;
  }

  const isMean = (row) => /^mean\b/i.test(words(row.cells[0]));

  // Numbers where half of the filled cells begin with one, words elsewhere. Rows without a value in
  // a column of numbers come last in both directions, a mean after them.
  function prepareColumn(table, column) {
    const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]);
    const filled = cells.filter((cell) => words(cell));
    const numbers = filled.filter((cell) => !Number.isNaN(leadingNumber(words(cell))));
    const numeric = numbers.length > 0 && 2 * numbers.length >= filled.length;
    for (const cell of cells) {
      const value = numeric ? leadingNumber(words(cell)) : words(cell).toLowerCase();
      cell.dataset.sort = Number.isNaN(value) ? "" : value;
    }
    const heading = table.tHead.rows[0].cells[column];
    heading.dataset.sortMethod = numeric ? "number" : "words";
    const longest = Math.max(...cells.map((cell) => words(cell).length));
    heading.classList.toggle("sentences", longest > LONGEST_WORDS);
  }

  function makeSortable(table, tools) {
    const body = table.tBodies[0];
    // An empty cell is no heading.
    for (const empty of [...table.tHead.rows[0].cells].filter((cell) => !words(cell))) {
      empty.outerHTML = "<td></td>";
    }
    const headings = [...table.tHead.rows[0].cells];
    const original = [...body.rows];
    headings.forEach((heading, column) => {
      prepareColumn(table, column);
      if (!words(heading)) {
        heading.dataset.sortMethod = "none";
        return;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chestkd-sort";
      button.append(...heading.childNodes);
      heading.append(button);
    });
    const reset = document.createElement("button");
    reset.type = "button";
    reset.className = "chestkd-reset";
    reset.textContent = "Original order";
    reset.hidden = true;
    tools.append(reset);

    new Tablesort(table);
    // Tablesort makes the cell a stop of the tab key; the button in it is one already.
    for (const heading of headings) {
      heading.removeAttribute("tabindex");
      heading.removeAttribute("role");
    }
    table.addEventListener("afterSort", () => {
      const column = headings.findIndex((heading) => heading.hasAttribute("aria-sort"));
      const rows = [...body.rows];
      const last = rows.filter((row) => row.cells[column].dataset.sort === "" && !isMean(row));
      body.append(...last, ...rows.filter(isMean));
      reset.hidden = false;
    });
    reset.addEventListener("click", () => {
      headings.forEach((heading) => heading.removeAttribute("aria-sort"));
      body.append(...original);
      headings.find((heading) => heading.firstElementChild)?.firstElementChild.focus();
      reset.hidden = true;
    });
  }

  function makeFilterable(table, tools, name) {
    const rows = [...table.tBodies[0].rows];
    const label = document.createElement("label");
    label.htmlFor = `${name}-filter`;
    label.textContent = "Filter rows";
    const input = document.createElement("input");
    input.type = "search";
    input.id = label.htmlFor;
    input.autocomplete = "off";
    const count = document.createElement("output");
    count.htmlFor = input.id;
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = [...row.cells].map(words).join(" ").toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      }
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
    });
    tools.prepend(label, input, count);
  }

  // A table that is wider than the page scrolls in a frame that the keyboard reaches.
  function makeScrollable(table) {
    let frame = table.closest(".chestkd-scroll");
    if (!frame) {
      frame = document.createElement("div");
      frame.className = "chestkd-scroll";
      table.replaceWith(frame);
      frame.append(table);
    }
    frame.setAttribute("aria-label", words(table.caption).replace(/\s*#$/, ""));
    const watch = () => {
      const scrolls = frame.scrollWidth > frame.clientWidth;
      frame.toggleAttribute("data-scrolls", scrolls);
      if (scrolls) {
        frame.tabIndex = 0;
        frame.setAttribute("role", "region");
      } else {
        frame.removeAttribute("tabindex");
        // A group, as a name needs a role; a region would be one more landmark.
        frame.setAttribute("role", "group");
      }
    };
    watch();
    new ResizeObserver(watch).observe(frame);
    return frame;
  }

  function enhance(shown) {
    const table = shown.querySelector("table");
    const rows = table.tBodies[0]?.rows.length ?? 0;
    const frame = makeScrollable(table);
    const tools = document.createElement("div");
    tools.className = "chestkd-tools";
    frame.before(tools);
    if (rows >= FEWEST_ROWS_TO_SORT) makeSortable(table, tools);
    if (rows >= FEWEST_ROWS_TO_FILTER) makeFilterable(table, tools, shown.id);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // Tablesort orders from high to low and turns the rows round.
    Tablesort.extend("number", () => false, (a, b) => Number(b) - Number(a));
    Tablesort.extend("words", () => false, (a, b) => b.localeCompare(a, "en", { numeric: true }));
    document.querySelectorAll(".chestkd-table").forEach(enhance);
  });
})();
