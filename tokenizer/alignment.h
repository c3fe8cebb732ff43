// Where normalized text came from: ranges of normalized bytes, back to ranges of the bytes before normalization.
//
// Normalizers fill one in character by character, in order. Text that keeps the size of every character, such as all of
// ASCII, is one run, however long it is; so most text costs nothing to describe.
// Thread-safety: none; one object per thread. Keeps its capacity.
// Invariants: every normalized byte belongs to one run; sources never go backwards.
// Source: Hugging Face `tokenizers`, NormalizedString, whose alignments (one range per byte) these runs stand for.
#ifndef BERTHA_TOKENIZER_ALIGNMENT_H_
#define BERTHA_TOKENIZER_ALIGNMENT_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// Half-open range of bytes.
struct ByteRange {
  size_t begin, end;

  size_t size() const { return end - begin; }
  absl::string_view of(absl::string_view text) const { return text.substr(begin, end - begin); }
};

/// Ranges that end at `until` or before come from places that are `by` further on (modulo the largest size_t).
struct Shift {
  size_t until, by;
};

class Alignment {
  /// Normalized text from `begin` to where the next run begins.
  struct Run {
    size_t begin;
    ByteRange source;  ///< of a copied run only the begin counts
    bool copied;       ///< each character comes from one of its size; if not, all of the run comes from all of `source`

    bool Continues(const ByteRange& normalized, const ByteRange& from, bool also_copied) const {
      if (copied != also_copied) return false;
      return copied ? from.begin - source.begin == normalized.begin - begin : from.begin == source.begin;
    }
  };

 public:
  void Clear() { runs_.clear(); }

  /// The next bytes of normalized text, one character or several that each kept their size, come from `source`.
  void Append(const ByteRange& normalized, const ByteRange& source) {
    const bool copied = normalized.size() == source.size();
    if (!runs_.empty() && runs_.back().Continues(normalized, source, copied)) return;
    runs_.push_back({normalized.begin, source, copied});
  }

  /// Makes this the alignment of a text of `size` bytes that was normalized twice: `second` maps it to the text
  /// between, and `first` that one to the source.
  void Compose(const Alignment& first, const Alignment& second, size_t size);

  /// Maps ranges back. They must be asked for in order: each begins in or after the last character of the one before.
  class Reader {
   public:
    /// `begin`: where the source begins in the text to whose places the answers refer.
    Reader(const Alignment& alignment, size_t begin) : runs_(alignment.runs_), begin_(begin) {}

    /// The source of `normalized`, which is not empty and consists of whole characters.
    ByteRange SourceOf(const ByteRange& normalized) {
      // Most text is copied in long runs.
      if (normalized.end <= copied_until_) return {normalized.begin + shift_, normalized.end + shift_};
      return SourceOfNextRuns(normalized);
    }

    /// Where the answers to come are just moved: until the end of the run that was asked for last, if it is copied.
    Shift CurrentShift() const { return {copied_until_, shift_}; }

    /// The run of the byte `at`, and where it ends; the last one never does.
    std::pair<const Run*, size_t> RunAt(size_t at) {
      GoTo(at);
      return {&runs_[run_], EndOfRun()};
    }

   private:
    ByteRange SourceOfNextRuns(const ByteRange& normalized);
    size_t EndOfRun() const {
      return run_ + 1 < runs_.size() ? runs_[run_ + 1].begin : std::numeric_limits<size_t>::max();
    }

    void GoTo(size_t byte) {
      while (run_ + 1 < runs_.size() && runs_[run_ + 1].begin <= byte) ++run_;
    }

    const std::vector<Run>& runs_;
    const size_t begin_;
    size_t run_ = 0;
    size_t copied_until_ = 0, shift_ = 0;  // of the last run that was asked for, if it is copied: begin_ included
  };

 private:
  void AppendRun(const Run& run) {
    const bool continues = !runs_.empty() && runs_.back().copied == run.copied && !run.copied &&
                           runs_.back().source.begin == run.source.begin;
    if (!continues) runs_.push_back(run);
  }

  std::vector<Run> runs_;
};

/// Maps ranges of the text that a model sees back to the raw text: through what a pre-tokenizer changed, if it did, and
/// through normalization.
class SourceMap {
 public:
  /// `normalized`: of the whole section. `begin`: where in it the model's text begins. `pre_tokenized`: of the model's
  /// text, null where that is the same as the normalized one.
  SourceMap(Alignment::Reader& normalized, size_t begin, const Alignment* pre_tokenized)
      : normalized_(normalized), begin_(begin) {
    if (pre_tokenized != nullptr) pre_tokenized_.emplace(*pre_tokenized, begin);
  }

  /// Of the next ranges to be asked for.
  Shift CurrentShift() const {
    const Shift shift = normalized_.CurrentShift();
    if (pre_tokenized_ || shift.until < begin_) return {0, 0};
    return {shift.until - begin_, shift.by + begin_};
  }

  ByteRange SourceOf(const ByteRange& range) {
    if (pre_tokenized_) return normalized_.SourceOf(pre_tokenized_->SourceOf(range));
    return normalized_.SourceOf({begin_ + range.begin, begin_ + range.end});
  }

 private:
  Alignment::Reader& normalized_;
  const size_t begin_;
  std::optional<Alignment::Reader> pre_tokenized_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_ALIGNMENT_H_
