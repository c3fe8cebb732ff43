// Where an axis has its marks.

/** At most `most` round steps from 0 to at least `top`. */
export function ticks(top, most = 4) {
  if (!(top > 0)) return [0, 1];
  const rough = top / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const made = [0];
  while (made.at(-1) < top * 0.999) made.push(Number((made.length * step).toPrecision(6)));
  return made;
}
