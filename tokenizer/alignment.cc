#include "tokenizer/alignment.h"

#include <algorithm>

namespace bertha::tokenizer {

void Alignment::Compose(const Alignment& first, const Alignment& second, size_t size) {
  Clear();
  Reader source(first, 0);
  for (size_t i = 0; i < second.runs_.size(); ++i) {
    const Run& run = second.runs_[i];
    if (!run.copied) {
      AppendRun({run.begin, source.SourceOf(run.source), false});
      continue;
    }
    // What was copied last comes from where it had come from before: a piece of this run for each run of `first`.
    const size_t end = i + 1 < second.runs_.size() ? second.runs_[i + 1].begin : size;
    for (size_t at = run.begin; at < end;) {
      const size_t between = run.source.begin + (at - run.begin);
      const auto [from, limit] = source.RunAt(between);
      const size_t shift = from->copied ? between - from->begin : 0;
      AppendRun({at, {from->source.begin + shift, from->source.end}, from->copied});
      at += std::min(end - at, limit - between);
    }
  }
}

ByteRange Alignment::Reader::SourceOfNextRuns(const ByteRange& normalized) {
  GoTo(normalized.begin);
  const Run& first = runs_[run_];
  const size_t from = first.source.begin + (first.copied ? normalized.begin - first.begin : 0);
  GoTo(normalized.end - 1);
  const Run& last = runs_[run_];
  const size_t to = last.copied ? last.source.begin + (normalized.end - last.begin) : last.source.end;
  copied_until_ = last.copied ? EndOfRun() : 0;
  shift_ = begin_ + last.source.begin - last.begin;
  return {begin_ + from, begin_ + to};
}

}  // namespace bertha::tokenizer
