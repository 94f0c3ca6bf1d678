/** The picture as it is seen, as a file: PNG at twice the screen's pixels, or SVG with text. */

const FINE = 2, LEGEND = 26;

/** Draw all that is seen, its legend below; `paintAll(pen, ratio)` draws lanes, `paintOver` what
 *  lies over them. */
function drawSeen(pen, theme, ratio, paintAll, paintOver) {
  paintAll(pen, ratio);
  paintOver(pen, ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, view.height * ratio);
  pen.fillStyle = theme.page;
  pen.fillRect(0, 0, view.width, LEGEND * legendLines(pen, theme).length);
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.font = theme.font(12);
  legendLines(pen, theme).forEach((items, line) => {
    let x = 12;
    for (const parts of items) {
      for (const { node, wide } of parts) {
        pen.fillStyle = theme.soft;
        if (node.tagName === 'CANVAS') pen.drawImage(node, x, (line + 0.5) * LEGEND - node.height / 2, node.width, node.height);
        else pen.fillText(node.textContent, x, (line + 0.5) * LEGEND);
        x += wide + 6;
      }
      x += 14;
    }
  });
}

/** The legend's items in lines that fit the width; each a list of `{ node, wide }`. */
function legendLines(pen, theme) {
  pen.font = theme.font(12);
  const lines = [[]];
  let x = 12;
  for (const item of document.querySelectorAll('#legend li:not([hidden])')) {
    const parts = [...item.children].map((node) => ({ node, wide: node.tagName === 'CANVAS' ? node.width : pen.measureText(node.textContent).width }));
    const wide = parts.reduce((sum, part) => sum + part.wide + 6, 14);
    if (x + wide > view.width && lines.at(-1).length) {
      lines.push([]);
      x = 12;
    }
    lines.at(-1).push(parts);
    x += wide;
  }
  return lines;
}

/** `save('png')` and `save('svg')`; `look()` gives the theme and how to paint. */
function makeExport(looks, say) {
  function svg() {
    const { theme, paintAll, paintOver } = looks();
    const pen = makeSvgPen(document.createElement('canvas').getContext('2d'), getComputedStyle(document.body).fontFamily);
    drawSeen(pen, theme, 1, paintAll, paintOver);
    return new Blob([pen.svg(view.width, view.height + LEGEND * legendLines(pen, theme).length)], { type: 'image/svg+xml' });
  }

  function png() {
    const { theme, paintAll, paintOver } = looks(), canvas = document.createElement('canvas'), over = document.createElement('canvas');
    const pen = canvas.getContext('2d'), lines = legendLines(pen, theme).length;
    canvas.width = over.width = Math.round(view.width * FINE);
    over.height = Math.round(view.height * FINE);
    canvas.height = Math.round((view.height + LEGEND * lines) * FINE);
    drawSeen(pen, theme, FINE, paintAll, (below, ratio) => {
      paintOver(over.getContext('2d'), ratio);
      below.setTransform(1, 0, 0, 1, 0, 0);
      below.drawImage(over, 0, 0);
    });
    return new Promise((done) => canvas.toBlob(done, 'image/png'));
  }

  return async function save(kind) {
    const blob = await (kind === 'svg' ? svg() : png()), link = document.createElement('a');
    if (!blob) return say('This picture is too large for a PNG');
    link.href = URL.createObjectURL(blob);
    link.download = `${state.all[0].name.split(/[\\/]/).pop().replace(/\.npz$/, '')}-timeline.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    return say(`${link.download} saved`);
  };
}
