// Canonical ordering of combining marks: a run of them is stable-sorted by combining class.
//
// Thread-safety: none; one object per thread. Keeps its capacity, so that it allocates nothing in the steady state.
// Time: linear in the length of a run, however long the run is.
// Source: The Unicode Standard, section 3.11, D109 "Canonical Ordering Algorithm".
#ifndef BERTHA_TOKENIZER_CANONICAL_ORDER_H_
#define BERTHA_TOKENIZER_CANONICAL_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha::tokenizer {

class CanonicalOrder {
 public:
  /// Adds the next mark of the current run; `combining_class` is not 0, `tag` is handed back by Flush.
  void Add(char32_t mark, uint8_t combining_class, uint8_t tag = 0) { run_.push_back({mark, combining_class, tag}); }

  /// Calls `emit(char32_t, uint8_t tag)` for the marks of the run in canonical order and starts a new run.
  template <typename Emit>
  void Flush(Emit emit) {
    if (run_.empty()) return;
    Sort();
    for (const Mark& mark : run_) emit(mark.code_point, mark.tag);
    run_.clear();
  }

 private:
  struct Mark {
    char32_t code_point;
    uint8_t combining_class;
    uint8_t tag;
  };

  void Sort();
  void InsertionSort();
  void CountingSort();

  std::vector<Mark> run_, sorted_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_CANONICAL_ORDER_H_
