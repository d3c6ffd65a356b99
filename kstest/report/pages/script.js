
// A click on the head of a column sorts; numbers by value, empty cells always last.
const value = (cell) => {
  const text = (cell.dataset.key ?? cell.textContent).trim().replace(/,/g, "").replace(/ %$/, "");
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
};
const compare = (a, b) =>
  typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true });
for (const table of document.querySelectorAll("table.sorted")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[head.cellIndex]), row]);
      const order = ([a], [b]) =>
        (a === "") - (b === "") || (up ? compare(a, b) : compare(b, a));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      table.tBodies[0].append(...rows.sort(order).map(([, row]) => row));
    });
  }
}
// How old the page is: one that is no longer made looks as green as on its last day.
for (const time of document.querySelectorAll("time.age")) {
  const hours = (Date.now() - Date.parse(time.dateTime)) / 3600000;
  const text = hours < 1 ? `${Math.max(0, Math.round(60 * hours))} min`
    : hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
  time.append(` (${text} ago)`);
}
