// The stages of one tokenizer.json that have a fast path and a plain one, which must give the same.
#ifndef BERTHA_TESTS_FUZZ_FAST_PATHS_H_
#define BERTHA_TESTS_FUZZ_FAST_PATHS_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "tokenizer/byte_pair_backtracking.h"
#include "tokenizer/byte_pair_merges.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/precompiled.h"
#include "tokenizer/unigram.h"

namespace bertha::tokenizer::fuzz {

class FastPaths {
 public:
  /// Of a tokenizer.json that can be loaded; aborts if the stages cannot be made one by one.
  explicit FastPaths(absl::string_view tokenizer_json);

  /// Aborts (FUZZ_CHECK) if a fast path gives anything else than its plain one for `text`, which is UTF-8.
  void Check(const std::string& text) const;

 private:
  void CheckMerges(const std::string& word) const;
  void CheckUnigram(const std::string& word) const;
  void CheckPrecompiled(const std::string& text) const;

  // Null where the file has none.
  std::unique_ptr<const BytePairMerges> merges_;
  std::unique_ptr<const BytePairBacktracking> backtracking_;
  std::unique_ptr<const Unigram> unigram_;
  std::unique_ptr<const Precompiled> precompiled_;
};

}  // namespace bertha::tokenizer::fuzz

#endif  // BERTHA_TESTS_FUZZ_FAST_PATHS_H_
