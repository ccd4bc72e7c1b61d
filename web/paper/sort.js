'use strict';
// Tables sort by the column whose head is pressed: figures the largest first, texts from A on, and the other way round
// when pressed again.
for (const table of document.querySelectorAll('table.sorts')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, i) => {
    if (!head.textContent) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const figures = head.classList.contains('n') || table.tBodies[0].rows[0]?.cells[i].dataset.v !== undefined;
      const down = head.ariaSort ? head.ariaSort === 'ascending' : figures;
      const value = (row) => {
        const cell = row.cells[i];
        return figures ? Number(cell.dataset.v ?? cell.textContent.replace(/[^\d.]/g, '')) : cell.textContent;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => (figures ? value(a) - value(b) : value(a).localeCompare(value(b))));
      if (down) rows.reverse();
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = down ? 'descending' : 'ascending';
      table.tBodies[0].append(...rows);
    });
  });
}
