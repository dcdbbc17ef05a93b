// How results of the search are ordered: a heading or an index entry that has the words comes before a page of which they
// are a part, for there the reader is where the words are explained. The numbers below are those of Sphinx.
var Scorer = {
  score: ([, , anchor, , score, , kind]) => (anchor && kind !== "object" ? score + 20 : score),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
