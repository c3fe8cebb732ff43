#include "tokenizer/canonical_order.h"

#include <array>

namespace bertha::tokenizer {

void CanonicalOrder::Sort() {
  // Real text has one to three marks in a run; the bound keeps hostile text linear.
  constexpr size_t kLongestInsertionSort = 16;
  if (run_.size() <= kLongestInsertionSort) {
    InsertionSort();
  } else {
    CountingSort();
  }
}

void CanonicalOrder::InsertionSort() {
  for (size_t i = 1; i < run_.size(); ++i) {
    const Mark mark = run_[i];
    size_t place = i;
    for (; place > 0 && run_[place - 1].combining_class > mark.combining_class; --place) run_[place] = run_[place - 1];
    run_[place] = mark;
  }
}

void CanonicalOrder::CountingSort() {
  std::array<size_t, 257> begin{};
  for (const Mark& mark : run_) ++begin[mark.combining_class + 1];
  for (size_t c = 1; c < begin.size(); ++c) begin[c] += begin[c - 1];
  sorted_.resize(run_.size());
  for (const Mark& mark : run_) sorted_[begin[mark.combining_class]++] = mark;
  run_.swap(sorted_);
}

}  // namespace bertha::tokenizer
