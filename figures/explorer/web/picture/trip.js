/** One mini-batch's round trip: its passes in the order they ran, and which led to which. */

/** Passes of a mini-batch as rows, by start, end and stage. */
function tripRows(trace, minibatch) {
  return rowsOf(trace, minibatch).filter((row) => isPass(trace.op[row])).sort((a, b) =>
    trace.start_s[a] - trace.start_s[b] || trace.end_s[a] - trace.end_s[b]
    || trace.stage[a] - trace.stage[b]);
}

function updateRows(trace, minibatch) {
  return rowsOf(trace, minibatch).filter((row) => trace.op[row] === U)
    .sort((a, b) => trace.start_s[a] - trace.start_s[b]);
}

/** All of a trip that is drawn, kept until another one is asked for. */
function tripOf(trace, minibatch) {
  if (trace.trip?.minibatch !== minibatch) {
    const rows = tripRows(trace, minibatch);
    trace.trip = { minibatch, rows, updates: updateRows(trace, minibatch), arrows: tripArrows(trace, rows) };
  }
  return trace.trip;
}

/** Pairs of rows, each leading to the next: a forward comes from the stage before, a backward from
 *  the stage after, on the last stage from its own forward. */
function tripArrows(trace, rows) {
  const arrows = [];
  for (const row of rows) {
    const op = trace.op[row], stage = trace.stage[row];
    if (op === W) continue;
    const turn = op !== F && stage === trace.stages - 1;
    const wanted = op === F || turn ? [F] : [B, I];
    const from = op === F ? stage - 1 : turn ? stage : stage + 1;
    const feeding = rows.filter((other) => wanted.includes(trace.op[other])
      && trace.stage[other] === from && shares(trace, row, other));
    for (const other of senders(trace, row, feeding)) arrows.push([other, row]);
  }
  return arrows;
}

/** Whether two rows have a micro-batch in common. */
function shares(trace, a, b) {
  return trace.index[a] < trace.index[b] + trace.count[b]
    && trace.index[b] < trace.index[a] + trace.count[a];
}

/** Where several devices did the same pass, the one whose message this row waited for. */
function senders(trace, row, rows) {
  const devices = new Set(rows.map((other) => trace.device[other]));
  const sent = rows.filter((other) => trace.end_s[other] === trace.sent_s[row]);
  return devices.size > 1 && sent.length ? sent : rows;
}
