/** Labels of a round trip, a line of them per lane, none over another. */

const FAR = 44; // a label further than this from its pass would mislead

/** Put labels `{ at, x, width, text, side }` (x: wanted middle, at: what they belong to) side by
 *  side in the order of `at`; equal neighbours that collide become one, at their middle or on the
 *  side (−1 left, +1 right) they stand on.  Those that would end up far from their place are
 *  `crowded`, unless they are `tied` to it by a line. */
function spread(labels, left, right) {
  const groups = [];
  for (const label of [...labels].sort((a, b) => a.at - b.at)) {
    const last = groups[groups.length - 1];
    const same = last && last.text === label.text && last.side === label.side;
    if (same && label.at - last.to < label.width + 4) join(last, label);
    else groups.push({ ...label, from: label.at, to: label.at });
  }
  return settle(groups, left, right).map((label) => {
    const off = Math.max(label.from - label.x, label.x - label.to, 0);
    return { ...label, crowded: !label.tied && off > Math.max(FAR, label.width) };
  });
}

function join(group, label) {
  group.to = label.at;
  if (group.side > 0) group.x = label.x;
  if (group.side === 0) group.x = (group.from + group.to) / 2;
}

/** Push overlapping labels apart, each cluster about its mean, none beyond the edges. */
function settle(labels, left, right) {
  const clusters = [];
  for (const label of labels) {
    let cluster = clustered([label], left, right);
    let last = clusters[clusters.length - 1];
    while (last && last.middle + last.width / 2 + 4 > cluster.middle - cluster.width / 2) {
      cluster = clustered([...clusters.pop().labels, ...cluster.labels], left, right);
      last = clusters[clusters.length - 1];
    }
    clusters.push(cluster);
  }
  return clusters.flatMap(({ labels: own, width, middle }) => {
    let x = middle - width / 2;
    return own.map((label) => {
      const placed = { ...label, x: x + label.width / 2 };
      x += label.width + 4;
      return placed;
    });
  });
}

function clustered(labels, left, right) {
  const width = labels.reduce((sum, label) => sum + label.width + 4, -4);
  const mean = labels.reduce((sum, label) => sum + label.x, 0) / labels.length;
  const middle = Math.max(left + width / 2, Math.min(mean, right - width / 2));
  return { labels, width, middle };
}
